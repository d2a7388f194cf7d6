/** How often the kernel has killed a process of this one's control group for lack of memory; undefined where that is not told. */
export async function oomKills(): Promise<number | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const group = /^0::(.*)$/m.exec(await Deno.readTextFile("/proc/self/cgroup"))?.[1] ?? "/";
    for (const folder of [group, ""]) {
      const events = await Deno.readTextFile(`/sys/fs/cgroup${folder}/memory.events`).catch(() => undefined);
      const count = events === undefined ? undefined : /^oom_kill (\d+)$/m.exec(events)?.[1];
      if (count !== undefined) return Number(count);
    }
  } catch {
    // Without all permissions Deno hides /proc.
  }
  return undefined;
}

/** What a failure for lack of memory looks like, in words; undefined if it does not look like one. */
export function memoryHint(
  failure: { signal?: string; errorTail: string; message?: string },
  kills: { before: number | undefined; after: number | undefined },
): string | undefined {
  const { signal, errorTail, message = "" } = failure;
  if (signal === "SIGKILL" && (kills.after ?? 0) > (kills.before ?? Infinity)) {
    return "the kernel killed a process here for lack of memory: give the job more, or train with smaller batches or fewer ranks";
  }
  // V8 ends a process whose heap is full by a trap, after a line on standard error.
  if (/out of memory/i.test(errorTail) && signal !== undefined && signal !== "SIGKILL" && signal !== "SIGTERM") {
    return "it ran out of the memory that V8 may use for objects: `--v8-flags=--max-old-space-size=MEGABYTES` for the launcher's Deno gives it more";
  }
  if (/allocation failed|out of memory/i.test(message)) {
    return "it ran out of memory: train with smaller batches";
  }
  return undefined;
}
