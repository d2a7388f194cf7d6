import { bundledLibzmq, libzmqPath } from "./libzmq_library.ts";

const SYMBOLS = {
  zmq_version: { parameters: ["buffer", "buffer", "buffer"], result: "void" },
  zmq_errno: { parameters: [], result: "i32" },
  zmq_strerror: { parameters: ["i32"], result: "pointer" },
  zmq_ctx_new: { parameters: [], result: "pointer" },
  zmq_ctx_set: { parameters: ["pointer", "i32", "i32"], result: "i32" },
  zmq_ctx_term: { parameters: ["pointer"], result: "i32" },
  // The same again on a thread: ending a context waits until its sockets have sent what lingers.
  zmq_ctx_term_later: { name: "zmq_ctx_term", parameters: ["pointer"], result: "i32", nonblocking: true },
  zmq_socket: { parameters: ["pointer", "i32"], result: "pointer" },
  zmq_close: { parameters: ["pointer"], result: "i32" },
  zmq_setsockopt: { parameters: ["pointer", "i32", "buffer", "usize"], result: "i32" },
  zmq_getsockopt: { parameters: ["pointer", "i32", "buffer", "buffer"], result: "i32" },
  zmq_bind: { parameters: ["pointer", "buffer"], result: "i32" },
  zmq_socket_monitor: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  zmq_connect: { parameters: ["pointer", "buffer"], result: "i32" },
  zmq_send: { parameters: ["pointer", "buffer", "usize", "i32"], result: "i32" },
  zmq_recv: { parameters: ["pointer", "buffer", "usize", "i32"], result: "i32" },
  zmq_msg_init: { parameters: ["buffer"], result: "i32" },
  zmq_msg_init_data: { parameters: ["buffer", "buffer", "usize", "pointer", "pointer"], result: "i32" },
  zmq_msg_send: { parameters: ["buffer", "pointer", "i32"], result: "i32" },
  zmq_msg_recv: { parameters: ["buffer", "pointer", "i32"], result: "i32" },
  zmq_msg_data: { parameters: ["buffer"], result: "pointer" },
  zmq_msg_size: { parameters: ["buffer"], result: "usize" },
  zmq_msg_more: { parameters: ["buffer"], result: "i32" },
  zmq_msg_close: { parameters: ["buffer"], result: "i32" },
  zmq_msg_gets: { parameters: ["buffer", "buffer"], result: "pointer" },
  zmq_has: { parameters: ["buffer"], result: "i32" },
  zmq_z85_encode: { parameters: ["buffer", "buffer", "usize"], result: "pointer" },
  zmq_curve_public: { parameters: ["buffer", "buffer"], result: "i32" },
  zmq_poll: { parameters: ["buffer", "i32", "i64"], result: "i32", nonblocking: true },
  // The C library's, found through libzmq's own dependencies. Where it is missing, waiting goes to a thread at once.
  ppoll: { parameters: ["buffer", "u64", "buffer", "pointer"], result: "i32", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions of libzmq. */
export type Libzmq = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const opened = new Map<string, Libzmq>();

/** The file that holds libzmq: the one that `setLibzmqPath` named, else the npm package's. */
export function libzmqFile(): string {
  return libzmqPath() ?? bundledLibzmq();
}

/**
 * The functions of libzmq, loaded on the first call: the library that `setLibzmqPath` named, else the npm package's.
 * It stays loaded until the process ends, because threads of contexts may still run in it.
 * @throws Error if it is missing or not a libzmq of version 4.2 or later; the message says what to do
 */
export function libzmq(): Libzmq {
  const given = libzmqPath();
  const path = libzmqFile();
  const known = opened.get(path);
  if (known) return known;
  const remedy = given === undefined
    ? "install libzmq and set LIBZMQ_PATH to its shared library"
    : "point LIBZMQ_PATH at a libzmq 4.2 or later, or unset it to use the one that comes along";
  let symbols: Libzmq;
  try {
    symbols = Deno.dlopen(path, SYMBOLS).symbols;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    throw new Error(`cannot load libzmq from ${path}: ${(cause as Error).message}; ${remedy}`, { cause });
  }
  const [major, minor, patch] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
  symbols.zmq_version(major, minor, patch);
  if (major[0] < 4 || (major[0] === 4 && minor[0] < 2)) {
    throw new Error(`${path} is libzmq ${major[0]}.${minor[0]}.${patch[0]}, which is too old; ${remedy}`);
  }
  opened.set(path, symbols);
  return symbols;
}

/** libzmq's error numbers, which are the C library's of the platform. */
export const ERRNO = Deno.build.os === "darwin"
  ? { EINTR: 4, EAGAIN: 35, EADDRINUSE: 48, EADDRNOTAVAIL: 49 }
  : Deno.build.os === "windows"
  ? { EINTR: 4, EAGAIN: 11, EADDRINUSE: 100, EADDRNOTAVAIL: 101 }
  : { EINTR: 4, EAGAIN: 11, EADDRINUSE: 98, EADDRNOTAVAIL: 99 };

/** A call of libzmq failed. */
export class ZmqError extends Error {
  override readonly name = "ZmqError";
  /** The C library's number of the error. */
  readonly errno: number;
  constructor(call: string, errno: number) {
    const text = libzmq().zmq_strerror(errno);
    super(`${call}: ${text === null ? `error ${errno}` : Deno.UnsafePointerView.getCString(text)}`);
    this.errno = errno;
  }
}

/** Throws the error that the last call left behind. */
export function throwZmqError(call: string): never {
  throw new ZmqError(call, libzmq().zmq_errno());
}
