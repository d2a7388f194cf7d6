const C_LIBRARY = {
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  dup: { parameters: ["i32"], result: "i32" },
  dup2: { parameters: ["i32", "i32"], result: "i32" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const INFORMATION = /^(I\d{4} |WARNING: All log messages before absl::InitializeLog)/;

/**
 * Calls a function, leaving out what a C++ library says meanwhile on standard error for information (glog's `I0000 …` lines). All else
 * that is written there in the meantime comes out when the function returns. For what speaks before it can be told not to: the
 * initializers of a library that is just being opened. Linux only; elsewhere the function is called as it is.
 */
export function withoutInformation<Result>(call: () => Result): Result {
  if (Deno.build.os !== "linux") return call();
  const { symbols: libc } = Deno.dlopen("libc.so.6", C_LIBRARY);
  const held = libc.memfd_create(new TextEncoder().encode("weft\0"), 0), before = held < 0 ? -1 : libc.dup(2);
  if (before < 0) return call();
  libc.dup2(held, 2);
  try {
    return call();
  } finally {
    libc.dup2(before, 2);
    libc.close(before);
    const said = readAll(held, libc.pread);
    libc.close(held);
    const kept = said.split(/(?<=\n)/).filter((line) => !INFORMATION.test(line)).join("");
    if (kept) Deno.stderr.writeSync(new TextEncoder().encode(kept));
  }
}

type Pread = (fd: number, buffer: Uint8Array<ArrayBuffer>, size: bigint, offset: bigint) => bigint;

function readAll(fd: number, pread: Pread): string {
  const decoder = new TextDecoder(), chunk = new Uint8Array(65536);
  let text = "";
  for (let offset = 0n;;) {
    const read = pread(fd, chunk, BigInt(chunk.length), offset);
    if (read <= 0n) return text + decoder.decode();
    text += decoder.decode(chunk.subarray(0, Number(read)), { stream: true });
    offset += read;
  }
}
