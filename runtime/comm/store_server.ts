import { STORE_OVERHEAD_BYTES, STORE_VERSION, StoreOp, StoreReader, StoreStatus, StoreWriter } from "./store_wire.ts";
import { MAX_VALUE_BYTES, MAX_WAIT_KEYS, StoreState } from "./store_state.ts";
import { isLoopback } from "../core/loopback.ts";
import type { RunKey } from "../core/run_key.ts";
import { curveKeys } from "./curve_keys.ts";
import { listeningEndpoint } from "./endpoint.ts";
import { Handshakes } from "./handshakes.ts";
import { ERRNO, ZmqError } from "./libzmq.ts";
import { Waiter } from "./waiter.ts";
import { Context } from "./zmq_context.ts";
import { type Socket, SocketType } from "./zmq_socket.ts";

/** Options of {@linkcode StoreServer.listen}. */
export interface StoreServerOptions {
  /** The address to listen at; for a name all of this host. Default: `127.0.0.1`, which other hosts cannot reach. */
  address?: string;
  /** The port, 0 for one that is free. Default: 0. */
  port?: number;
  /** Who does not have it is not answered, and what travels is encrypted. Default: none; needed beyond loopback. */
  runKey?: RunKey;
  /** Called once, when somebody has come whose words cannot be opened with the key. Default: nobody is told. */
  onWrongKey?: () => void;
}

interface ServerParts extends Pick<StoreServerOptions, "onWrongKey"> {
  context: Context;
  socket: Socket;
  handshakes: Handshakes | undefined;
  address: string;
  port: number;
}

/** After so many requests in a row, other work of the process gets its turn. */
const BATCH = 256;
/** Waits that may be parked, all clients together. */
const MAX_PARKED = 100_000;

/**
 * Serves a key-value store to the ranks of a run. It works on the process's event loop, in between whatever else happens
 * there, and keeps the process alive until it is disposed of. What is not a request of the store is dropped.
 *
 * @example
 * ```ts
 * await using server = await StoreServer.listen({ port: 0 });
 * if (!(server.port > 0)) throw new Error("expected a port");
 * ```
 */
export class StoreServer implements AsyncDisposable {
  readonly address: string;
  readonly port: number;
  readonly #context: Context;
  readonly #socket: Socket;
  readonly #waiter: Waiter;
  readonly #handshakes: Handshakes | undefined;
  readonly #onWrongKey: (() => void) | undefined;
  readonly #state = new StoreState();
  readonly #parked = new Map<string, { cancel: () => void; timer: ReturnType<typeof setTimeout> }>();
  readonly #pumping: Promise<void>;
  #closing = false;
  #hasTold = false;

  /**
   * Starts to listen.
   * @throws Error naming the port if it is in use, or if other hosts could reach it and there is no key; RangeError if it is no port
   */
  static async listen(options: StoreServerOptions = {}): Promise<StoreServer> {
    const { address = "127.0.0.1", port = 0, runKey } = options;
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new RangeError(`the store cannot listen on port ${port}; a port is 0 (any that is free) to 65535`);
    }
    const endpoint = listeningEndpoint(address, port === 0 ? "*" : port);
    if (!runKey && !isLoopback(address)) {
      throw new Error(`a store at ${address} can be reached from other hosts: it needs the run's key (runKey)`);
    }
    const curve = runKey && await curveKeys(runKey);
    const context = new Context();
    try {
      const socket = context.socket(SocketType.ROUTER, {
        maxMessageBytes: MAX_VALUE_BYTES + MAX_WAIT_KEYS * 16 + STORE_OVERHEAD_BYTES,
        ipv6: address.includes(":"),
      });
      if (curve) socket.serveByCurve(curve);
      const handshakes = curve && options.onWrongKey ? new Handshakes(context).of(socket) : undefined;
      let bound: string;
      try {
        bound = socket.bind(endpoint);
      } catch (cause) {
        const errno = cause instanceof ZmqError ? cause.errno : 0;
        if (errno === ERRNO.EADDRINUSE) {
          throw new Error(
            `port ${port} of ${address} is in use by another process, so the store cannot listen there; ` +
              `choose another port, or 0 for one that is free`,
            { cause },
          );
        }
        throw new Error(
          `the store cannot listen at ${address}:${port} (${
            (cause as Error).message
          }); give an IP address of this machine`,
          { cause },
        );
      }
      return new StoreServer({
        ...{ context, socket, handshakes, address, onWrongKey: options.onWrongKey },
        port: Number(bound.slice(bound.lastIndexOf(":") + 1)),
      });
    } catch (error) {
      context[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(parts: ServerParts) {
    const { context, socket, handshakes } = parts;
    this.#context = context;
    this.#socket = socket;
    this.#handshakes = handshakes;
    this.#onWrongKey = parts.onWrongKey;
    this.#waiter = new Waiter(context, handshakes ? [socket, handshakes.ear] : [socket]);
    this.address = parts.address;
    this.port = parts.port;
    this.#pumping = this.#pump();
  }

  /** Stops to listen and ends; what was answered already is still sent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return await this.#pumping;
    this.#closing = true;
    for (const { cancel, timer } of this.#parked.values()) {
      cancel();
      clearTimeout(timer);
    }
    this.#parked.clear();
    await this.#waiter.close();
    await this.#pumping;
    await this.#context.close(500);
  }

  async #pump(): Promise<void> {
    while (!this.#closing) {
      let handled = 0;
      let sender: string | undefined;
      const look = () => sender = this.#socket.senderAddress();
      for (let parts; handled < BATCH && (parts = this.#socket.receive(look)); handled++) {
        if (parts.length !== 2) continue;
        try {
          this.#handle(parts[0], parts[1], sender);
        } catch {
          // Not a request of ours: a stranger's bytes are dropped, and an answer would only help him.
        }
      }
      this.#lookAtHandshakes();
      await this.#waiter.wait(handled === BATCH ? 0 : Infinity);
    }
  }

  #lookAtHandshakes(): void {
    for (const end of this.#handshakes?.ended() ?? []) {
      if (end !== "cannot open" || this.#hasTold) continue;
      this.#hasTold = true;
      this.#handshakes!.stop();
      this.#onWrongKey!();
    }
  }

  #handle(client: Uint8Array, message: Uint8Array, sender: string | undefined): void {
    const reader = new StoreReader(message);
    if (reader.u8() !== STORE_VERSION) return;
    const op = reader.u8(), id = reader.u32();
    const answer = (status: number) => new StoreWriter().u8(STORE_VERSION).u8(status).u32(id);
    const send = (writer: StoreWriter) => {
      this.#socket.send(client, true);
      this.#socket.send(writer.finish());
    };
    const ask = { op, reader, sender, ticket: `${client.join(".")}/${id}` };
    const run = this.#parse(ask, (values) => {
      const writer = answer(StoreStatus.ok).u32(values.length);
      for (const value of values) writer.bytes(value);
      send(writer);
    }, (missing) => {
      const writer = answer(StoreStatus.missing).u32(missing.length);
      for (const key of missing) writer.text(key);
      send(writer);
    });
    reader.end();
    try {
      const result = run();
      if (result) send(result(answer(StoreStatus.ok)));
    } catch (error) {
      const { name, message } = error as Error;
      send(answer(StoreStatus.error).text(name).text(message));
    }
  }

  /** Reads a request. Returns what carries it out, which in turn returns what writes the answer, if there is one yet. */
  #parse(
    { op, reader, sender, ticket }: { op: number; reader: StoreReader; sender: string | undefined; ticket: string },
    found: (values: Uint8Array[]) => void,
    timedOut: (missing: string[]) => void,
  ): () => ((writer: StoreWriter) => StoreWriter) | undefined {
    const state = this.#state;
    switch (op) {
      case StoreOp.ping:
        return () => (writer) => writer;
      case StoreOp.set: {
        const key = reader.text(), value = reader.bytes();
        return () => {
          state.set(key, value);
          return (writer) => writer;
        };
      }
      case StoreOp.get: {
        const key = reader.text();
        return () => {
          const value = state.get(key);
          return (writer) => writer.optional(value);
        };
      }
      case StoreOp.wait: {
        const timeoutMs = reader.f64(), count = reader.u32();
        if (count > MAX_WAIT_KEYS) throw new RangeError(`a wait for ${count} keys`);
        const keys = Array.from({ length: count }, () => reader.text());
        return () => {
          this.#park(ticket, keys, timeoutMs, found, timedOut);
          return undefined;
        };
      }
      case StoreOp.add: {
        const key = reader.text(), amount = reader.f64();
        return () => {
          const sum = state.add(key, amount);
          return (writer) => writer.f64(sum);
        };
      }
      case StoreOp.compareAndSet: {
        const key = reader.text(), expected = reader.optional(), value = reader.bytes();
        return () => {
          const result = state.compareAndSet(key, expected, value);
          return (writer) => writer.u8(result.swapped ? 1 : 0).optional(result.value);
        };
      }
      case StoreOp.delete: {
        const key = reader.text();
        return () => {
          const was = state.delete(key);
          return (writer) => writer.u8(was ? 1 : 0);
        };
      }
      case StoreOp.cancel:
        return () => {
          this.#unpark(ticket);
          return undefined;
        };
      case StoreOp.address:
        return () => (writer) => writer.text(sender ?? "");
      default:
        throw new RangeError(`operation ${op}`);
    }
  }

  #park(
    ticket: string,
    keys: string[],
    timeoutMs: number,
    found: (values: Uint8Array[]) => void,
    timedOut: (missing: string[]) => void,
  ): void {
    if (this.#parked.size >= MAX_PARKED) throw new RangeError(`more than ${MAX_PARKED} waits are parked in the store`);
    // A client that uses a number again waits for something else now.
    this.#unpark(ticket);
    let answered = false;
    const cancel = this.#state.wait(keys, (values) => {
      answered = true;
      this.#unpark(ticket);
      found(values);
    });
    if (answered) return;
    const limit = Math.min(Math.max(0, timeoutMs || 0), 2 ** 31 - 1);
    const timer = setTimeout(() => {
      this.#unpark(ticket);
      timedOut(this.#state.missing(keys).slice(0, 64));
      // Sending may swallow the sign that a request arrived, so the pump has to look again.
      this.#waiter.wake();
    }, limit);
    this.#parked.set(ticket, { cancel, timer });
  }

  #unpark(ticket: string): void {
    const parked = this.#parked.get(ticket);
    if (!parked) return;
    this.#parked.delete(ticket);
    parked.cancel();
    clearTimeout(parked.timer);
  }
}
