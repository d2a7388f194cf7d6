const O_RDWR = 2, PROT_READ_WRITE = 3, MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;
const CLOCK_MONOTONIC = Deno.build.os === "darwin" ? 6 : 1;

/** A file as memory of this process. */
export interface MappedFile {
  /** Stays valid until the process ends. */
  readonly buffer: ArrayBuffer;
  /** What to add to `performance.now()` for milliseconds of a clock that all processes of this host share and nobody can set. */
  readonly sharedClockOffset: number;
}

/** Lays a file of this many bytes over memory: what is written there is in the file at once, and stays there if the process is killed. Undefined without the permission for FFI, or where it cannot be done. */
export function mapFile(path: string, bytes: number): MappedFile | undefined {
  if (Deno.build.os === "windows" || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  for (const name of ["libc.so.6", `libc.musl-${Deno.build.arch}.so.1`, "libSystem.B.dylib"]) {
    try {
      using libc = openLibc(name);
      const { open, close, mmap, clock_gettime } = libc.symbols;
      const descriptor = open(new TextEncoder().encode(`${path}\0`), O_RDWR);
      if (descriptor < 0) return undefined;
      const pointer = mmap(null, BigInt(bytes), PROT_READ_WRITE, MAP_SHARED, descriptor, 0n);
      close(descriptor);
      if (pointer === null || Deno.UnsafePointer.value(pointer) === MAP_FAILED) return undefined;
      const time = new BigInt64Array(2);
      clock_gettime(CLOCK_MONOTONIC, time);
      return {
        buffer: Deno.UnsafePointerView.getArrayBuffer(pointer, bytes),
        sharedClockOffset: Number(time[0]) * 1e3 + Number(time[1]) / 1e6 - performance.now(),
      };
    } catch {
      // The next name.
    }
  }
  return undefined;
}

function openLibc(name: string) {
  const libc = Deno.dlopen(name, {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
    clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  });
  return Object.assign(libc, { [Symbol.dispose]: () => libc.close() });
}
