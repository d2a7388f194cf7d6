import { type Libzmq, libzmq, throwZmqError } from "./libzmq.ts";
import { Socket, type SocketOptions, type SocketType } from "./zmq_socket.ts";

const CONTEXT_OPTION = { IO_THREADS: 1, MAX_SOCKETS: 2 } as const;

/** Options of {@linkcode Context}. */
export interface ContextOptions {
  /** Threads that move bytes. Default: 1. */
  ioThreads?: number;
  /** Sockets that there may be at a time. Default: 1023. */
  maxSockets?: number;
}

/**
 * A libzmq context: what sockets are made in. Closing it closes its sockets.
 *
 * @example
 * ```ts
 * import { SocketType } from "./zmq_socket.ts";
 *
 * await using context = new Context();
 * const left = context.socket(SocketType.PAIR), right = context.socket(SocketType.PAIR);
 * left.bind("inproc://example");
 * right.connect("inproc://example");
 * right.send(new Uint8Array([1, 2, 3]));
 * const buffer = new Uint8Array(8);
 * if (left.receiveInto(buffer) !== 3) throw new Error("expected three bytes");
 * ```
 */
export class Context implements Disposable, AsyncDisposable {
  readonly #zmq: Libzmq;
  #pointer: Deno.PointerValue;
  readonly #sockets = new Set<Socket>();

  constructor(options: ContextOptions = {}) {
    this.#zmq = libzmq();
    this.#pointer = this.#zmq.zmq_ctx_new();
    if (this.#pointer === null) throwZmqError("zmq_ctx_new");
    if (options.ioThreads) this.#zmq.zmq_ctx_set(this.#pointer, CONTEXT_OPTION.IO_THREADS, options.ioThreads);
    if (options.maxSockets) this.#zmq.zmq_ctx_set(this.#pointer, CONTEXT_OPTION.MAX_SOCKETS, options.maxSockets);
  }

  /** Makes a socket. @throws ZmqError if there are too many */
  socket(type: SocketType, options: SocketOptions = {}): Socket {
    if (this.#pointer === null) throw new Error("the ZeroMQ context is closed");
    const socket = new Socket(this.#zmq, this.#pointer, type, options);
    this.#sockets.add(socket);
    return socket;
  }

  /** Closes the sockets and the context, dropping what was not sent yet. Blocks for microseconds. */
  [Symbol.dispose](): void {
    this.closeNow(0);
  }

  /** Closes the sockets and the context. Blocks until what is queued is sent, for `lingerMs` at most: for a process that ends. */
  closeNow(lingerMs: number): void {
    const pointer = this.#take(lingerMs);
    if (pointer !== null) this.#zmq.zmq_ctx_term(pointer);
  }

  /**
   * Closes the sockets and the context without blocking the event loop.
   * @param lingerMs how long to go on sending what is queued. Default: 0, drop it
   */
  async close(lingerMs = 0): Promise<void> {
    const pointer = this.#take(lingerMs);
    if (pointer !== null) await this.#zmq.zmq_ctx_term_later(pointer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #take(lingerMs: number): Deno.PointerValue {
    const pointer = this.#pointer;
    this.#pointer = null;
    for (const socket of this.#sockets) socket.close(lingerMs);
    this.#sockets.clear();
    return pointer;
  }
}
