/** MADV_DONTNEED of Linux. */
const DONT_NEED = 4;

/**
 * Gives back the pages of opened libraries that are as they are in their files. Those that only the start has touched (of TensorFlow a quarter
 * of a gigabyte) do not count as this process's memory any more; those that are used come back from the system's cache of files.
 *
 * Does nothing on other systems than Linux, and where the process may not look at its own memory's map.
 *
 * @param directory the libraries' folder
 */
export function giveBackPages(directory: string): void {
  if (Deno.build.os !== "linux") return;
  let smaps: string;
  try {
    smaps = Deno.readTextFileSync("/proc/self/smaps");
  } catch {
    return;
  }
  const libc = Deno.dlopen("libc.so.6", {
    madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  });
  for (const { from, to } of cleanRanges(smaps, Deno.realPathSync(directory))) {
    libc.symbols.madvise(Deno.UnsafePointer.create(from), to - from, DONT_NEED);
  }
  libc.close();
}

/**
 * The address ranges of a folder's files that cannot be written to, and of which no page was: one that the dynamic linker has changed would be
 * lost.
 */
export function cleanRanges(smaps: string, directory: string): { from: bigint; to: bigint }[] {
  const ranges: { from: bigint; to: bigint }[] = [];
  for (const entry of smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const [, from, to, permissions, path] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ +(\/.*)$/m.exec(entry) ?? [];
    if (!path?.startsWith(`${directory}/`) || permissions.includes("w")) continue;
    if (!/^Private_Dirty: +0 kB$/m.test(entry) || !/^Anonymous: +0 kB$/m.test(entry)) continue;
    ranges.push({ from: BigInt(`0x${from}`), to: BigInt(`0x${to}`) });
  }
  return ranges;
}
