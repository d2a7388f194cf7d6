import type { Context } from "./zmq_context.ts";
import { type Socket, SocketType } from "./zmq_socket.ts";

/** libzmq's numbers of what may become of a handshake. */
const HUNG_UP = 0x0800, SUCCEEDED = 0x1000, PROTOCOL = 0x2000;
/** And of what may become of a connection: it ended, or could not be made. */
const DISCONNECTED = 0x0200, CLOSED = 0x0080;
/** Of a failure of the protocol: what cannot be opened with the key, and another way of encrypting, or none. */
const CANNOT_OPEN = 0x1100_0001, MISMATCH = 0x1100_0002;

/** What became of a handshake; `mismatch`: one side encrypts, the other does not; `cannot open`: with the key. */
export type HandshakeEnd = "succeeded" | "hung up" | "mismatch" | "cannot open";
/** What became of a connection; `lost`: one that was there; `refused`: nobody listens there, or there is no way. It is made again. */
export type ConnectionEnd = "lost" | "refused";

let count = 0;

/** Hears what becomes of the handshakes of a socket. */
export class Handshakes {
  /** Becomes readable when something happened. */
  readonly ear: Socket;
  #watched: Socket | undefined;

  constructor(context: Context) {
    this.ear = context.socket(SocketType.PAIR);
  }

  /** Begins, before the socket is bound or connected. @param options.connections what becomes of those is heard too. Default: false */
  of(socket: Socket, options: { connections?: boolean } = {}): this {
    const endpoint = `inproc://handshakes-${count++}`;
    socket.monitor(endpoint, HUNG_UP | SUCCEEDED | PROTOCOL | (options.connections ? DISCONNECTED | CLOSED : 0));
    this.ear.connect(endpoint);
    this.#watched = socket;
    return this;
  }

  /** What has come to an end since it was asked last. */
  *ended(): Generator<HandshakeEnd | ConnectionEnd> {
    for (let parts; (parts = this.ear.receive());) {
      const [event] = parts;
      if (event.byteLength < 6) continue;
      const view = new DataView(event.buffer, event.byteOffset), kind = view.getUint16(0, true);
      const value = view.getUint32(2, true);
      if (kind === SUCCEEDED) yield "succeeded";
      else if (kind === HUNG_UP) yield "hung up";
      else if (kind === DISCONNECTED) yield "lost";
      else if (kind === CLOSED) yield "refused";
      else if (kind === PROTOCOL && value === MISMATCH) yield "mismatch";
      else if (kind === PROTOCOL && value === CANNOT_OPEN) yield "cannot open";
    }
  }

  /** Hears nothing more. */
  stop(): void {
    if (this.#watched && !this.#watched.isClosed) this.#watched.monitor(undefined, 0);
    this.#watched = undefined;
  }
}
