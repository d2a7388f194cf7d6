import { CommTimeoutError } from "../core/errors.ts";
import type { RunKey } from "../core/run_key.ts";
import { type CurveKeys, curveKeys } from "./curve_keys.ts";
import { tcpEndpoint } from "./endpoint.ts";
import { KeyCheck } from "./key_check.ts";
import { RENDEZVOUS_TIMEOUT_MS, waitTimeout } from "./memory_store.ts";
import { checkKey, checkKeys, checkValue, MAX_VALUE_BYTES } from "./store_state.ts";
import type { Store, WaitOptions } from "./store.ts";
import { STORE_VERSION, StoreOp, StoreReader, StoreStatus, StoreWriter } from "./store_wire.ts";
import { Waiter } from "./waiter.ts";
import { Context } from "./zmq_context.ts";
import { type Socket, SocketType } from "./zmq_socket.ts";

/** Options of {@linkcode connectStore}. */
export interface ConnectStoreOptions extends WaitOptions {
  /** Where the store listens. Default: `127.0.0.1`. */
  address?: string;
  port: number;
  /** The store's, if it has one. */
  runKey?: RunKey;
}

/** A connection to a {@linkcode StoreServer}. */
export interface ConnectedStore extends Store {
  /** The address of this host that the server sees the connection come from: others reach this host there as well. */
  ownAddress(): Promise<string>;
}

/**
 * Connects to a {@linkcode StoreServer}, which may start later than this.
 * Waiting for an answer keeps the process alive, an idle connection does not.
 * @throws CommTimeoutError if nobody answers within `timeoutMs` (default: 5 minutes); Error, at once, if the server there has another key
 */
export async function connectStore(options: ConnectStoreOptions): Promise<ConnectedStore> {
  const { address = "127.0.0.1", port, timeoutMs = RENDEZVOUS_TIMEOUT_MS, signal, runKey } = options;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`the store cannot be at port ${port}; a port is 1 to 65535`);
  }
  signal?.throwIfAborted();
  const curve = runKey && await curveKeys(runKey);
  const store = new StoreClient(tcpEndpoint(address, port), { ipv6: address.includes(":"), timeoutMs, curve });
  try {
    await store.ping({ timeoutMs, signal });
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

interface Answer {
  status: number;
  reader: StoreReader;
}

interface Request {
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

class StoreClient implements ConnectedStore {
  readonly #endpoint: string;
  readonly #hasKey: boolean;
  readonly #timeoutMs: number;
  readonly #context: Context;
  readonly #socket: Socket;
  readonly #waiter: Waiter;
  readonly #keyCheck: KeyCheck;
  /** Why it can never answer. */
  #refusal: Error | undefined;
  readonly #requests = new Map<number, Request>();
  #pumping: Promise<void> | undefined;
  #nextId = 1;
  #answered = false;
  #closed = false;

  constructor(endpoint: string, options: { ipv6: boolean; timeoutMs: number; curve?: CurveKeys }) {
    const { ipv6, timeoutMs, curve } = options;
    this.#endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    this.#hasKey = curve !== undefined;
    this.#context = new Context();
    try {
      this.#socket = this.#context.socket(SocketType.DEALER, { ipv6, maxMessageBytes: 2 ** 31 });
      if (curve) this.#socket.connectByCurve(curve);
      this.#keyCheck = new KeyCheck(this.#context, this.#socket, { endpoint, ipv6, hasKey: curve !== undefined });
      this.#socket.connect(endpoint);
      this.#waiter = new Waiter(this.#context, [this.#socket, ...this.#keyCheck.ears]);
    } catch (error) {
      this.#context[Symbol.dispose]();
      throw error;
    }
  }

  async ping(options: WaitOptions): Promise<void> {
    await this.#ask(StoreOp.ping, (writer) => writer, options);
  }

  async ownAddress(): Promise<string> {
    return (await this.#ask(StoreOp.address, (writer) => writer)).reader.text().replace(/^::ffff:/i, "");
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    checkKey(key);
    checkValue(value);
    await this.#ask(StoreOp.set, (writer) => writer.text(key).bytes(value));
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    checkKey(key);
    return (await this.#ask(StoreOp.get, (writer) => writer.text(key))).reader.optional();
  }

  async wait(keys: readonly string[], options: WaitOptions = {}): Promise<Uint8Array[]> {
    checkKeys(keys);
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const write = (writer: StoreWriter) => {
      writer.f64(timeoutMs).u32(keys.length);
      for (const key of keys) writer.text(key);
      return writer;
    };
    // The server says which keys are missing; ours is the later clock, for a server that is gone.
    const { status, reader } = await this.#ask(StoreOp.wait, write, {
      timeoutMs: timeoutMs + 5000,
      signal: options.signal,
    });
    const count = reader.u32();
    if (status === StoreStatus.missing) {
      throw waitTimeout(Array.from({ length: count }, () => reader.text()), keys, timeoutMs);
    }
    return Array.from({ length: count }, () => reader.bytes());
  }

  async add(key: string, amount: number): Promise<number> {
    checkKey(key);
    return (await this.#ask(StoreOp.add, (writer) => writer.text(key).f64(amount))).reader.f64();
  }

  async compareAndSet(
    key: string,
    expected: Uint8Array | undefined,
    value: Uint8Array,
  ): Promise<{ swapped: boolean; value: Uint8Array | undefined }> {
    checkKey(key);
    checkValue(value);
    const { reader } = await this.#ask(
      StoreOp.compareAndSet,
      (writer) => writer.text(key).optional(expected?.subarray(0, MAX_VALUE_BYTES + 1)).bytes(value),
    );
    return { swapped: reader.u8() === 1, value: reader.optional() };
  }

  async delete(key: string): Promise<boolean> {
    checkKey(key);
    return (await this.#ask(StoreOp.delete, (writer) => writer.text(key))).reader.u8() === 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const request of this.#requests.values()) request.reject(new Error("the store was closed"));
    this.#requests.clear();
    await this.#waiter.close();
    await this.#pumping;
    // Where nobody ever answered, nobody is there to take what is still queued.
    await this.#context.close(this.#answered ? 500 : 0);
  }

  /** Sends a request and resolves with its answer, read up to its fields. */
  async #ask(op: number, write: (writer: StoreWriter) => StoreWriter, options: WaitOptions = {}): Promise<Answer> {
    if (this.#closed) throw new Error("the store is closed");
    if (this.#refusal) throw this.#refusal;
    const { timeoutMs = this.#timeoutMs, signal } = options;
    signal?.throwIfAborted();
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#requests.set(id, { resolve, reject });
    const name = Object.keys(StoreOp).find((name) => StoreOp[name as keyof typeof StoreOp] === op)!;
    const timer = setTimeout(() => {
      reject(
        new CommTimeoutError(
          `the store at ${this.#endpoint} did not answer ${name} within ${timeoutMs / 1000} s; ` +
            `is what hosts it (the launcher, or rank 0) running, ${
              this.#hasKey ? "the address right, and the run's key the same on all hosts" : "and the address right"
            }?`,
          { operation: `store.${name}`, timeoutMs },
        ),
      );
    }, Math.min(timeoutMs, 2 ** 31 - 1));
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      this.#send(write(new StoreWriter().u8(STORE_VERSION).u8(op).u32(id)).finish());
      this.#pumping ??= this.#pump();
      return await promise;
    } catch (error) {
      if (op === StoreOp.wait && !this.#closed) {
        this.#send(new StoreWriter().u8(STORE_VERSION).u8(StoreOp.cancel).u32(id).finish());
      }
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#requests.delete(id);
      if (this.#requests.size === 0 && !this.#closed) this.#waiter.wake();
    }
  }

  #send(message: Uint8Array): void {
    this.#socket.send(message);
    // Sending may swallow the sign that something arrived, so whoever waits for it has to look again.
    if (this.#pumping) this.#waiter.wake();
  }

  async #pump(): Promise<void> {
    while (this.#requests.size > 0 && !this.#closed) {
      for (let parts; (parts = this.#socket.receive());) this.#answer(parts[0]);
      const problem = this.#keyCheck.look();
      if (problem !== undefined) this.#refuse(problem);
      // Those who got their answer go on first: when nobody is left to wait for, this ends.
      await Promise.resolve();
      if (this.#requests.size > 0 && !this.#closed) await this.#waiter.wait(Infinity);
    }
    this.#pumping = undefined;
  }

  #refuse(problem: string): void {
    this.#refusal = new Error(
      `the store at ${this.#endpoint} ${problem}. All hosts of a run need the same key (--key-file, WEFT_RUN_KEY), ` +
        "and the address and port of that run",
    );
    for (const request of this.#requests.values()) request.reject(this.#refusal);
  }

  #answer(message: Uint8Array): void {
    this.#answered = true;
    const reader = new StoreReader(message);
    const version = reader.u8(), status = reader.u8(), request = this.#requests.get(reader.u32());
    if (!request || version !== STORE_VERSION) return;
    if (status !== StoreStatus.error) return request.resolve({ status, reader });
    const name = reader.text(), text = reader.text();
    const known = { TypeError, RangeError }[name] ?? Error;
    request.reject(new known(text));
  }
}
