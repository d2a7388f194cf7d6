import type { CurveKeys } from "./curve_keys.ts";
import { type Libzmq, throwZmqError } from "./libzmq.ts";

/** The kinds of sockets used here, by libzmq's numbers. */
export const SocketType = { PAIR: 0, SUB: 2, DEALER: 5, ROUTER: 6, PULL: 7, PUSH: 8, XPUB: 9 } as const;
export type SocketType = typeof SocketType[keyof typeof SocketType];

const OPTION = {
  SUBSCRIBE: 6,
  SNDBUF: 11,
  RCVBUF: 12,
  RCVMORE: 13,
  FD: 14,
  LINGER: 17,
  RECONNECT_IVL: 18,
  RECONNECT_IVL_MAX: 21,
  MAXMSGSIZE: 22,
  SNDHWM: 23,
  RCVHWM: 24,
  LAST_ENDPOINT: 32,
  IPV6: 42,
  CURVE_SERVER: 47,
  CURVE_PUBLICKEY: 48,
  CURVE_SECRETKEY: 49,
  CURVE_SERVERKEY: 50,
  XPUB_VERBOSE: 40,
  HEARTBEAT_IVL: 75,
  HEARTBEAT_TIMEOUT: 77,
} as const;
const PEER_ADDRESS = new TextEncoder().encode("Peer-Address\0");
const DONTWAIT = 1, SNDMORE = 2;

/** Options of {@linkcode Context.socket}. */
export interface SocketOptions {
  /** Messages that may wait to be sent, 0 for no limit. Default: 0, so that sending never blocks. */
  sendHighWater?: number;
  /** Messages that may wait to be received, 0 for no limit. Default: 0. */
  receiveHighWater?: number;
  /** Bytes of the system's send and receive buffers. Default: the system's. */
  bufferBytes?: number;
  /** A message part longer than this closes the connection it came by, before memory is taken for it. Default: no limit. */
  maxMessageBytes?: number;
  /** Addresses are IPv6. Default: false. */
  ipv6?: boolean;
}

/** A libzmq socket. Sending and receiving never wait; `Waiter` does. */
export class Socket implements Disposable {
  readonly #zmq: Libzmq;
  #pointer: Deno.PointerValue;
  readonly #message = new Uint8Array(64);
  readonly #outgoing = new Uint8Array(64);
  readonly #number = new Int32Array(1);
  readonly #size = new BigUint64Array([4n]);

  /** Use {@linkcode Context.socket}. */
  constructor(zmq: Libzmq, context: Deno.PointerValue, type: SocketType, options: SocketOptions) {
    this.#zmq = zmq;
    this.#pointer = zmq.zmq_socket(context, type);
    if (this.#pointer === null) throwZmqError("zmq_socket");
    this.#set(OPTION.LINGER, 0);
    this.#set(OPTION.SNDHWM, options.sendHighWater ?? 0);
    this.#set(OPTION.RCVHWM, options.receiveHighWater ?? 0);
    this.#set(OPTION.RECONNECT_IVL, 20);
    this.#set(OPTION.RECONNECT_IVL_MAX, 500);
    if (options.bufferBytes) {
      this.#set(OPTION.SNDBUF, options.bufferBytes);
      this.#set(OPTION.RCVBUF, options.bufferBytes);
    }
    // Otherwise it tells of the first of several that subscribe to the same.
    if (type === SocketType.XPUB) this.#set(OPTION.XPUB_VERBOSE, 1);
    if (options.ipv6) this.#set(OPTION.IPV6, 1);
    if (options.maxMessageBytes !== undefined) {
      const limit = new BigInt64Array([BigInt(options.maxMessageBytes)]);
      if (zmq.zmq_setsockopt(this.#pointer, OPTION.MAXMSGSIZE, limit, 8n) !== 0) throwZmqError("zmq_setsockopt");
    }
  }

  /** Listens at an endpoint such as `tcp://127.0.0.1:*`. Returns the one it got. @throws ZmqError */
  bind(endpoint: string): string {
    if (this.#zmq.zmq_bind(this.#pointer, cString(endpoint)) !== 0) throwZmqError(`cannot bind ${endpoint}`);
    const text = new Uint8Array(512), size = new BigUint64Array([512n]);
    if (this.#zmq.zmq_getsockopt(this.#pointer, OPTION.LAST_ENDPOINT, text, size) !== 0) {
      throwZmqError("zmq_getsockopt");
    }
    return new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
  }

  /** From the next `bind` on only processes of the run can connect, and what travels is encrypted. */
  serveByCurve(keys: CurveKeys): void {
    this.#set(OPTION.CURVE_SERVER, 1);
    this.#setText(OPTION.CURVE_SECRETKEY, keys.secretKey);
  }

  /** From the next `connect` on only a process of the run is talked to, and what travels is encrypted. */
  connectByCurve(keys: CurveKeys): void {
    this.#setText(OPTION.CURVE_SERVERKEY, keys.publicKey);
    this.#setText(OPTION.CURVE_PUBLICKEY, keys.publicKey);
    this.#setText(OPTION.CURVE_SECRETKEY, keys.secretKey);
  }

  /** Connects in the background, again and again until somebody listens there. @throws ZmqError if the endpoint is no endpoint */
  connect(endpoint: string): void {
    if (this.#zmq.zmq_connect(this.#pointer, cString(endpoint)) !== 0) throwZmqError(`cannot connect to ${endpoint}`);
  }

  /**
   * Tells a PAIR socket of the context that connects to `endpoint` (`inproc://…`) of what happens from now on; undefined: nobody any more.
   * @param events which of libzmq's, by the sum of their numbers
   * @throws ZmqError
   */
  monitor(endpoint: string | undefined, events: number): void {
    const name = endpoint === undefined ? null : cString(endpoint);
    if (this.#zmq.zmq_socket_monitor(this.#pointer, name, events) !== 0) {
      throwZmqError("zmq_socket_monitor");
    }
  }

  /** Lets the other end show again and again that it lives. One that does not counts as hung up. Before it connects. */
  expectHeartbeats({ everyMs, timeoutMs }: { everyMs: number; timeoutMs: number }): void {
    this.#set(OPTION.HEARTBEAT_IVL, Math.max(1, Math.round(everyMs)));
    this.#set(OPTION.HEARTBEAT_TIMEOUT, Math.max(1, Math.round(timeoutMs)));
  }

  /** Takes all that is published where it is connected to. */
  subscribe(): void {
    this.#setText(OPTION.SUBSCRIBE, "");
  }

  /** Queues one part of a message, which is copied. @param more another part follows */
  send(part: Uint8Array, more = false): void {
    const flags = more ? DONTWAIT | SNDMORE : DONTWAIT;
    const bytes = part as Uint8Array<ArrayBuffer>;
    if (this.#zmq.zmq_send(this.#pointer, bytes, part.byteLength as unknown as bigint, flags) < 0) {
      throwZmqError("zmq_send");
    }
  }

  /**
   * Queues the last part of a message without copying it: libzmq's thread reads `part` whenever it comes to it. The caller
   * keeps `part` alive and unchanged until the receiver has it or the context is closed.
   */
  sendInPlace(part: Uint8Array): void {
    const zmq = this.#zmq, bytes = part as Uint8Array<ArrayBuffer>;
    // No function to free with: libzmq then treats the data as constant, and never frees it.
    zmq.zmq_msg_init_data(this.#outgoing, bytes, part.byteLength as unknown as bigint, null, null);
    if (zmq.zmq_msg_send(this.#outgoing, this.#pointer, DONTWAIT) < 0) throwZmqError("zmq_msg_send");
  }

  /**
   * Takes the next part of a message, if there is one, into `buffer`.
   * @returns its length, which is more than the buffer's if it was cut; -1 if nothing is there
   */
  receiveInto(buffer: Uint8Array): number {
    const bytes = buffer as Uint8Array<ArrayBuffer>;
    return this.#zmq.zmq_recv(this.#pointer, bytes, buffer.byteLength as unknown as bigint, DONTWAIT);
  }

  /** True if more parts of the message last received follow. */
  hasMore(): boolean {
    if (this.#zmq.zmq_getsockopt(this.#pointer, OPTION.RCVMORE, this.#number, this.#size) !== 0) return false;
    return this.#number[0] !== 0;
  }

  /**
   * Takes the next part of a message, if there is one, without copying it out.
   * @returns libzmq's own memory, to be given back with {@linkcode releasePart} and not touched afterwards
   */
  receivePart(): { bytes: Uint8Array; more: boolean } | undefined {
    const zmq = this.#zmq;
    zmq.zmq_msg_init(this.#message);
    if (zmq.zmq_msg_recv(this.#message, this.#pointer, DONTWAIT) < 0) {
      zmq.zmq_msg_close(this.#message);
      return undefined;
    }
    const length = Number(zmq.zmq_msg_size(this.#message)), data = zmq.zmq_msg_data(this.#message);
    const bytes = length === 0 || data === null
      ? new Uint8Array(0)
      : new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(data, length));
    return { bytes, more: zmq.zmq_msg_more(this.#message) !== 0 };
  }

  /** The address that the part which {@linkcode receivePart} returned last came from; undefined if it came by no network. */
  senderAddress(): string | undefined {
    const text = this.#zmq.zmq_msg_gets(this.#message, PEER_ADDRESS);
    return text === null ? undefined : Deno.UnsafePointerView.getCString(text);
  }

  /** Gives back what {@linkcode receivePart} returned last. */
  releasePart(): void {
    this.#zmq.zmq_msg_close(this.#message);
  }

  /**
   * All parts of the next message, copied, or undefined if none is there.
   * @param look called while the last part is there
   */
  receive(look?: () => void): Uint8Array[] | undefined {
    const parts: Uint8Array[] = [];
    for (let more = true; more;) {
      const part = this.receivePart();
      if (!part) return undefined;
      parts.push(part.bytes.slice());
      more = part.more;
      if (!more) look?.();
      this.releasePart();
    }
    return parts;
  }

  /** The file descriptor that becomes readable when something happened; then receive until nothing is left. */
  get fileDescriptor(): number {
    const value = new BigUint64Array(1), size = new BigUint64Array([Deno.build.os === "windows" ? 8n : 4n]);
    if (this.#zmq.zmq_getsockopt(this.#pointer, OPTION.FD, value, size) !== 0) throwZmqError("zmq_getsockopt");
    return Number(value[0]);
  }

  get isClosed(): boolean {
    return this.#pointer === null;
  }

  /** Closes the socket. @param lingerMs how long its context may go on sending what is queued. Default: 0 */
  close(lingerMs = 0): void {
    if (this.#pointer === null) return;
    this.#set(OPTION.LINGER, lingerMs);
    this.#zmq.zmq_close(this.#pointer);
    this.#pointer = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #set(option: number, value: number): void {
    if (this.#zmq.zmq_setsockopt(this.#pointer, option, new Int32Array([value]), 4n) !== 0) {
      throwZmqError("zmq_setsockopt");
    }
  }

  #setText(option: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    if (this.#zmq.zmq_setsockopt(this.#pointer, option, bytes, BigInt(bytes.length)) !== 0) {
      throwZmqError("zmq_setsockopt");
    }
  }
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError(`an endpoint cannot hold a zero byte: ${JSON.stringify(text)}`);
  return new TextEncoder().encode(text + "\0");
}
