import { type Clock, systemClock } from "../core/clock.ts";
import { CommTimeoutError } from "../core/errors.ts";
import { bindEndpoints, type BindOptions, type BoundSocket, connectTo, type Endpoints } from "./bind_endpoints.ts";
import { Handshakes } from "./handshakes.ts";
import { type LastWords, parseLastWords } from "./rank_messages.ts";
import { RENDEZVOUS_TIMEOUT_MS } from "./memory_store.ts";
import type { WaitOptions } from "./store.ts";
import { Waiter } from "./waiter.ts";
import { Context } from "./zmq_context.ts";
import { type Socket, SocketType } from "./zmq_socket.ts";

/** What a rank says on its line is short. */
const MAX_WORDS_BYTES = 8192;
/** What a subscription begins with. */
const SUBSCRIBES = 1;

/** A rank whose line has ended, though it did not say that it leaves. */
export interface LostRank {
  readonly rank: number;
  /** What its host is called. */
  readonly host: string;
  /** Since when, on the clock. */
  readonly sinceMs: number;
  /** Whether somebody still listens there, as for a process that is frozen. Unknown of one that was reached by a socket file, which is gone by then. */
  readonly listens?: boolean;
  /** What it threw, if it said so. */
  readonly error?: { readonly name: string; readonly message: string };
}

/** Options of {@linkcode Lifelines.open}. */
export interface LifelinesOptions extends BindOptions {
  /** After how long without a sign of life a line has ended. */
  heartbeatMs: number;
  /** How many ranks there are. */
  worldSize: number;
  /** Default: the clock of this process. */
  clock?: Clock;
}

/** Where another rank's line is, and what its host is called. */
export interface LineEnd {
  readonly endpoint: string;
  readonly host: string;
}

/**
 * Connections that carry nothing but signs of life, one from each rank to each, by which ranks that no launcher watches notice that another is gone. libzmq's own threads keep them up, so that a rank
 * that computes, however long, is there. A rank that leaves says so on its line, before that ends: the end
 * of a line without such a word is never taken for one with it.
 */
export class Lifelines implements AsyncDisposable {
  readonly #context: Context;
  readonly #own: BoundSocket;
  readonly #options: LifelinesOptions;
  readonly #clock: Clock;
  #lines: Line[] = [];

  private constructor(context: Context, own: BoundSocket, options: LifelinesOptions) {
    this.#context = context;
    this.#own = own;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Opens this rank's own line. @throws Error if other hosts could reach it and there is no key */
  static async open(options: LifelinesOptions): Promise<Lifelines> {
    // For each other rank a socket, and the two ends of what tells of its connection.
    const context = new Context({ maxSockets: 3 * options.worldSize + 16 });
    try {
      const type = { type: SocketType.XPUB, maxMessageBytes: MAX_WORDS_BYTES };
      return new Lifelines(context, await bindEndpoints(context, type, options), options);
    } catch (error) {
      context[Symbol.dispose]();
      throw error;
    }
  }

  /** Where others connect to. */
  get endpoints(): Endpoints {
    return this.#own.endpoints;
  }

  /** Connects to the others. @param ends by rank; undefined for this one, and for those that have none */
  connect(ends: readonly (LineEnd | undefined)[]): void {
    const { curve, heartbeatMs } = this.#options;
    for (const [rank, end] of ends.entries()) {
      if (!end) continue;
      const socket = this.#context.socket(SocketType.SUB, {
        maxMessageBytes: MAX_WORDS_BYTES,
        ipv6: end.endpoint.includes("["),
      });
      // A question each quarter of the time; what is left of it is for the answer.
      socket.expectHeartbeats({ everyMs: heartbeatMs / 4, timeoutMs: heartbeatMs * 3 / 4 });
      socket.subscribe();
      const isFile = end.endpoint.startsWith("ipc:");
      const events = new Handshakes(this.#context).of(socket, { connections: true });
      connectTo(socket, end.endpoint, curve);
      this.#lines.push({ rank, host: end.host, socket, events, listens: isFile ? undefined : true });
    }
  }

  /** Who is lost, as far as it is known now. */
  lost(): LostRank[] {
    for (const line of this.#lines) this.#look(line);
    this.#lines = this.#lines.filter(({ words }) => !words?.leaves);
    return this.#lines.flatMap(({ rank, host, lostSince, listens, words }) =>
      lostSince === undefined ? [] : [{ rank, host, sinceMs: lostSince, listens, error: words?.error }]
    );
  }

  /**
   * Resolves when all others are connected to this one: from then on they hear what it says.
   * @throws CommTimeoutError if some are not in time
   */
  async met({ timeoutMs = RENDEZVOUS_TIMEOUT_MS, signal }: WaitOptions = {}): Promise<void> {
    const end = this.#clock.now() + timeoutMs, { socket } = this.#own;
    const waiter = new Waiter(this.#context, [socket]);
    try {
      for (let missing = this.#lines.length; missing > 0;) {
        signal?.throwIfAborted();
        if (this.#clock.now() >= end) {
          throw new CommTimeoutError(
            `${missing} of ${this.#lines.length} other ranks did not connect in time to see whether this one lives`,
            { operation: "joinProcessGroup", timeoutMs },
          );
        }
        for (let parts; (parts = socket.receive());) if (parts[0][0] === SUBSCRIBES) missing--;
        if (missing > 0) await waiter.wait(Math.max(1, end - this.#clock.now()));
      }
    } finally {
      await waiter.close();
    }
  }

  /** Tells the others something. */
  say(words: LastWords): void {
    this.#own.socket.send(new TextEncoder().encode(JSON.stringify(words)));
  }

  /** The socket file is not needed any more. */
  removeFiles(): Promise<void> {
    return this.#own.removeFiles();
  }

  /** Ends all lines. What was said still reaches the others, for a second at most. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close(1000);
    await this.removeFiles();
  }

  /** The same, blocking: for a process that ends. */
  closeNow(): void {
    this.#context.closeNow(1000);
  }

  #look(line: Line): void {
    // First what becomes of the connection: whatever was said before it ended is there by then.
    for (const event of line.events.ended()) {
      if (event === "succeeded") line.lostSince = undefined;
      else if (event === "lost") line.lostSince ??= this.#clock.now();
      if (line.listens !== undefined) line.listens = event === "succeeded" || line.listens && event !== "refused";
    }
    for (let parts; (parts = line.socket.receive());) line.words = parseLastWords(parts[0]) ?? line.words;
    if (!line.words?.leaves) return;
    line.events.stop();
    line.socket.close();
    line.events.ear.close();
  }
}

interface Line extends Pick<LostRank, "rank" | "host"> {
  readonly socket: Socket;
  readonly events: Handshakes;
  lostSince?: number;
  listens: boolean | undefined;
  words?: LastWords;
}
