import { libzmqFile } from "./libzmq.ts";
import type { Segment, SharedMemory } from "./shared_memory.ts";

const SYMBOLS = {
  shm_open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  shm_unlink: { parameters: ["buffer"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  posix_fallocate: { parameters: ["i32", "i64", "i64"], result: "i32" },
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  close: { parameters: ["i32"], result: "i32" },
  strerror: { parameters: ["i32"], result: "pointer" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const O_RDWR = 2, O_CREAT = 0o100, O_EXCL = 0o200, O_CLOEXEC = 0o2000000;
const PROT_READ_WRITE = 3, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20;
const MAP_FAILED = 2n ** 64n - 1n;
const EINTR = 4;
const WASM_PAGE = 65_536;

let libc: Libc | undefined;

/**
 * POSIX shared memory of Linux. An object loses its name in /dev/shm before anybody writes to it, so that no crash can leave it behind;
 * other processes of this user open it through its maker's descriptor, in /proc.
 */
export const posixSharedMemory: SharedMemory = {
  create(bytes) {
    const libc = load(), secret = crypto.getRandomValues(new Uint8Array(16)).toHex();
    const name = cString(`/weft-${secret}`);
    const fd = libc.shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600);
    if (fd < 0) throw systemError("cannot create shared memory");
    libc.shm_unlink(name);
    return map(`${Deno.pid}/${fd}/${secret}`, fd, { bytes, isNew: true });
  },
  open(name, bytes) {
    const [whole, pid, descriptor, secret] = /^(\d+)\/(\d+)\/([0-9a-f]{32})$/.exec(name) ?? [];
    if (!whole) throw new TypeError(`${JSON.stringify(name)} is not the name of shared memory`);
    const libc = load(), path = cString(`/proc/${pid}/fd/${descriptor}`), target = new Uint8Array(256);
    const length = Number(libc.readlink(path, target, BigInt(target.length)));
    if (length < 0) throw systemError("cannot open the shared memory");
    // In another process namespace the same number is another process.
    const found = new TextDecoder().decode(target.subarray(0, length));
    if (!found.includes(`weft-${secret}`)) throw new Error("the shared memory is out of sight from here");
    const fd = libc.open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) throw systemError("cannot open the shared memory");
    return map(name, fd, { bytes, isNew: false });
  },
};

/**
 * Lays the object over the pages of a new WebAssembly memory. V8 keeps those pages reserved for as long as the memory lives, so
 * that no view of them can ever point to nothing; closing lays empty pages over them.
 */
function map(name: string, fd: number, options: { bytes: number; isNew: boolean }): Segment {
  const libc = load(), { isNew } = options;
  const pages = Math.ceil(options.bytes / WASM_PAGE), bytes = BigInt(pages * WASM_PAGE);
  let isOpen = true;
  let address: Deno.PointerObject, memory: WebAssembly.Memory;
  try {
    if (isNew && libc.ftruncate(fd, bytes) !== 0) throw systemError("cannot size shared memory");
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    address = Deno.UnsafePointer.of(new Uint8Array(memory.buffer))!;
    const at = libc.mmap(address, bytes, PROT_READ_WRITE, MAP_SHARED | MAP_FIXED, fd, 0n);
    if (Deno.UnsafePointer.value(at) === MAP_FAILED) throw systemError("cannot map shared memory");
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return {
    name,
    memory,
    reserve(offset, length) {
      // Without it a full /dev/shm would show as a signal that ends the process, at the first write.
      let code: number;
      do code = libc.posix_fallocate(fd, BigInt(offset), BigInt(length)); while (code === EINTR);
      if (code !== 0) throw new Error(`no room for ${length} bytes of shared memory in /dev/shm: ${describe(code)}`);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
      libc.mmap(address, bytes, PROT_READ_WRITE, flags, -1, 0n);
      libc.close(fd);
    },
  };
}

/** The C library's functions, found through libzmq's own dependencies: no other library has to be allowed. */
function load(): Libc {
  if (libc) return libc;
  if (Deno.build.os !== "linux") throw new Error(`shared memory is not used on ${Deno.build.os}`);
  try {
    libc = Deno.dlopen(libzmqFile(), SYMBOLS).symbols;
  } catch (cause) {
    throw new Error(`the C library has no shared memory: ${(cause as Error).message}`, { cause });
  }
  return libc;
}

function systemError(what: string): Error {
  const libc = load();
  return new Error(`${what}: ${describe(new Deno.UnsafePointerView(libc.__errno_location()!).getInt32())}`);
}

function describe(code: number): string {
  const text = load().strerror(code);
  return text === null ? `error ${code}` : Deno.UnsafePointerView.getCString(text);
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}
