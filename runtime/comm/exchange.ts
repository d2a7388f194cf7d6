import { type Clock, systemClock } from "../core/clock.ts";
import { CollectiveMismatchError, CommTimeoutError, ConnectionLostError, RankFailedError } from "../core/errors.ts";
import { hereAsUserCall, type UserCall } from "../core/user_call.ts";
import { callSite } from "./call_site.ts";
import { EarlyFrames } from "./early_frames.ts";
import type { Peers } from "./peers.ts";
import { type Farewell, parseFailure, parseFarewell, parseReport, type Report } from "./rank_messages.ts";
import { describe, FrameType, Head, type Signature } from "./frame.ts";
import { type Leaving, RollCall } from "./roll_call.ts";
import type { WaitOptions } from "./store.ts";
import type { Arrival, Transport } from "./transport.ts";

/** How long a collective waits unless told otherwise: 30 minutes. */
export const COLLECTIVE_TIMEOUT_MS = 30 * 60_000;
/** After how long a wait a rank asks the others what they called: they may all wait for each other, in different collectives. */
const ASK_MS = 500;
/** How long ranks that disagree wait to hear what the others called. */
const CONSULT_MS = 1000;
/** How long a collective may go on before the event loop gets a turn. */
const BREATH_MS = 10;
/** How long a wait stays on the event loop's own thread, in short waits, before it moves to another. */
const PATIENCE_MS = 2;
/** How long a collective waits until it asks again whether a rank failed. */
const WATCH_MS = 200;
const MAX_EARLY_BYTES = 4 * 1024 ** 3;
/** How far back it is known what this rank said it called. */
const MOST_REPORTS = 8;
/** A mismatch has a line for each rank. */
const LONGEST_MISMATCH = 100_000;
const EMPTY = new Uint8Array(0);

/** Options of {@linkcode Exchange}. */
export interface ExchangeOptions {
  /** How often the run was restarted: frames of another generation are dropped. Default: 0. */
  generation?: number;
  /** What all ranks of the group know and nobody else: frames without it are dropped. Default: 0n. */
  token?: bigint;
  /** Default: 30 minutes. */
  collectiveTimeoutMs?: number;
  /** The number of the first collective, 1 unless the group itself needs some before the user's. Default: 1. */
  firstSequence?: number;
  /** How much another rank may send before this one comes to it, in bytes. Default: 4 GiB, as much as all-gather takes of a rank. */
  maxEarlyBytes?: number;
  /** Default: the clock of this process. */
  clock?: Clock;
  /** What this host is called. Default: the others are not told. */
  hostName?: string;
  /** Sees what the collectives do, and knows of failures that no frame tells. Default: nobody. */
  watch?: GroupWatch;
}

/** Somebody who sees what the collectives of a group do. Called often: it has to be quick. */
export interface GroupWatch {
  began(kind: string, sequence: number): void;
  /** @param rank whose frame is needed next; -1 for any. @param step which of its frames: in each collective they are needed in this order */
  waitsFor(rank: number, step: number): void;
  ended(): void;
  /** A rank that failed without saying so. Asked again and again while a collective waits. @param doing tells what this rank is doing */
  failure(doing: () => string): Error | undefined;
}

/**
 * Carries out one collective after the other over a transport: numbers them, checks that the ranks agree, and turns what goes
 * wrong into errors that every rank gets. How a collective moves its data is not its business.
 */
export class Exchange implements Peers {
  readonly rank: number;
  readonly worldSize: number;
  readonly #transport: Transport;
  readonly #generation: number;
  readonly #token: bigint;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #watch: GroupWatch | undefined;
  readonly #hostName: string | undefined;
  readonly #doing = () => `rank ${this.rank} was in ${this.#named()}`;
  readonly #head = new Head();
  readonly #control = new Head();
  /** The number of the collective that runs or ran last. */
  #sequence: number;
  #signature: Signature | undefined;
  #call: UserCall = hereAsUserCall();
  #signal: AbortSignal | undefined;
  #turnTimeoutMs = 0;
  #deadline = 0;
  /** When to ask the others what they called. */
  #askAt = Infinity;
  #isGivingUp = false;
  #lastBreath = 0;
  readonly #early: EarlyFrames;
  /** How many frames were sent to each rank, and have come from it. */
  readonly #sent: Float64Array;
  readonly #received: Float64Array;
  #hasReported = false;
  /** What this rank said of what it called, by the collective's number: the last few. */
  readonly #reported = new Map<number, Report>();
  #disagrees = false;
  readonly #rollCall: RollCall;
  #held: Uint8Array[] = [];
  #failure: Error | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** The head of the frame that {@linkcode receive} or {@linkcode receiveAny} returned last. */
  arrived: Head;

  constructor(transport: Transport, options: ExchangeOptions = {}) {
    this.rank = transport.rank;
    this.worldSize = transport.worldSize;
    this.#transport = transport;
    this.#sequence = (options.firstSequence ?? 1) - 1;
    this.#generation = options.generation ?? 0;
    this.#token = options.token ?? 0n;
    this.#timeoutMs = options.collectiveTimeoutMs ?? COLLECTIVE_TIMEOUT_MS;
    this.#clock = options.clock ?? systemClock;
    this.#watch = options.watch;
    this.#hostName = options.hostName;
    this.#early = new EarlyFrames(this.worldSize, options.maxEarlyBytes ?? MAX_EARLY_BYTES);
    this.#rollCall = new RollCall(this.rank, this.worldSize);
    this.#sent = new Float64Array(this.worldSize);
    this.#received = new Float64Array(this.worldSize);
    this.#head.stamp(this.rank, this.#generation, this.#token);
    this.#control.stamp(this.rank, this.#generation, this.#token);
    this.arrived = this.#head;
  }

  /** Queues a collective; it starts when those before it are done. `call` tells where the user called. */
  run<T>(signature: Signature, options: WaitOptions & { call: UserCall }, body: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => this.#turn(signature, options, body));
    this.#tail = result.catch(() => {});
    return result;
  }

  /** Resolves when all that was called so far is over, well or not. */
  get idle(): Promise<unknown> {
    return this.#tail;
  }

  rankAt(place: number): number {
    return place;
  }

  /**
   * Queues a frame of this collective.
   * @param inPlace the payload is not copied; it stays unchanged until the other has it, which the closing barrier ensures
   */
  send(to: number, step: number, payload: Uint8Array = EMPTY, inPlace = false): void {
    const head = this.#head;
    head.step = step;
    head.length = payload.byteLength;
    if (inPlace) this.#held.push(payload);
    this.#post(to, head, payload, inPlace);
  }

  /** The payload of a step, which lasts until the next call. */
  async receive(from: number, step: number): Promise<Uint8Array> {
    this.#watch?.waitsFor(from, step);
    const early = this.#early.take(this.#sequence, from, step);
    if (early) {
      this.arrived = early.head;
      return early.payload;
    }
    for (;;) {
      const payload = this.#take() ?? await this.#next();
      if (this.arrived.source === from && this.arrived.step === step) return payload;
      this.#early.keep(this.arrived, payload);
    }
  }

  /** The payload of any step below `limit` of any rank, which lasts until the next call; {@linkcode arrived} tells whose. */
  async receiveAny(limit: number): Promise<Uint8Array> {
    this.#watch?.waitsFor(-1, 0);
    const early = this.#early.takeAny(this.#sequence, limit);
    if (early) {
      this.arrived = early.head;
      return early.payload;
    }
    for (;;) {
      const payload = this.#take() ?? await this.#next();
      if (this.arrived.step < limit) return payload;
      this.#early.keep(this.arrived, payload);
    }
  }

  async pause(): Promise<void> {
    this.#checkAbort();
    if (this.#clock.now() - this.#lastBreath > BREATH_MS) await this.#breathe();
  }

  /**
   * Waits for work that something else does on all ranks at once, and ends it when a rank fails, the time is over or the collective is called off.
   * @param cancel makes `work` settle soon
   */
  async during<T>(work: Promise<T>, cancel: (reason: Error) => void): Promise<T> {
    this.#watch?.waitsFor(-1, 0);
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
      this.#transport.wake();
    });
    try {
      await this.#attend(() => isDone);
      // Work that breaks off here because a rank died: who that was is told by those who watch, a moment later.
      const until = this.#clock.now() + CONSULT_MS;
      await done.catch(() => this.#attend(() => this.#clock.now() >= until));
    } catch (error) {
      cancel(error as Error);
      await done.catch(() => {});
      throw error;
    }
    return await done;
  }

  /** Keeps what comes for the next collective, and throws what ends this one, until `isOver`. */
  async #attend(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      this.#checkAbort();
      this.#checkLeft();
      const payload = this.#take();
      if (payload) this.#early.keep(this.arrived, payload);
      else if (this.#disagrees) await this.#consult();
      else if (this.#clock.now() >= this.#deadline) await this.#giveUp();
      else await this.#transport.wait(Math.min(this.#deadline - this.#clock.now(), WATCH_MS));
    }
  }

  #checkLeft(): void {
    const deserter = this.#rollCall.deserter(this.#sequence);
    if (deserter) throw this.#leftError(deserter);
  }

  /** Tells the others that this rank failed. Their collectives reject, and from now on this rank's do. */
  async abort(reason: Error, lingerMs = 1000): Promise<void> {
    if (!this.#closing) {
      this.#failure ??= reason;
      this.#tellFailure(reason);
      this.#transport.wake();
      await this.#close(lingerMs);
    }
    await this.#closing;
  }

  /** Leaves the group: what was sent still reaches the others, what was queued rejects. */
  async close(lingerMs = 2000): Promise<void> {
    if (!this.#closing) {
      const whole = !this.#failure;
      this.#failure ??= new Error("the process group was closed while this collective was waiting");
      if (whole) this.#sayGoodbye();
      this.#transport.wake();
      await this.#close(whole ? lingerMs : Math.min(lingerMs, 500));
    }
    await this.#closing;
  }

  /** The same for a process that ends, and so cannot wait: blocks until the others have been told, for a second at most. */
  leaveNow(exitCode: number): void {
    if (this.#closing) return;
    const whole = !this.#failure;
    this.#failure ??= new Error("the process ends");
    if (whole) this.#sayGoodbye({ exitCode });
    this.#closing = Promise.resolve();
    this.#transport.closeNow(whole ? 1000 : 500);
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  #close(lingerMs: number): Promise<void> {
    this.#closing = (async () => {
      await this.#tail;
      await this.#transport.close(lingerMs);
      this.#held = [];
      this.#early.clear();
    })();
    return this.#closing;
  }

  async #turn<T>(signature: Signature, options: WaitOptions & { call: UserCall }, body: () => Promise<T>): Promise<T> {
    if (this.#closing) throw this.#closedError(signature);
    if (this.#failure) throw this.#failure;
    this.#sequence++;
    this.#signature = signature;
    this.#call = options.call;
    this.#hasReported = false;
    this.#disagrees = false;
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    this.#lastBreath = this.#clock.now();
    this.#deadline = this.#lastBreath + timeoutMs;
    this.#askAt = this.#lastBreath + ASK_MS;
    this.#head.sign(FrameType.data, this.#sequence, signature);
    const abort = () => this.#transport.wake();
    options.signal?.addEventListener("abort", abort);
    this.#signal = options.signal;
    this.#turnTimeoutMs = timeoutMs;
    this.#watch?.began(signature.kind, this.#sequence);
    try {
      this.#checkAbort();
      this.#welcomeEarly();
      if (this.#disagrees) await this.#consult();
      const result = await body();
      this.#held.length = 0;
      // Not after a failure, so that it can be told where that was.
      this.#watch?.ended();
      return result;
    } catch (error) {
      const known = this.#failure !== undefined;
      this.#failure ??= error as Error;
      if (!known) this.#tellFailure(this.#failure);
      throw this.#failure;
    } finally {
      options.signal?.removeEventListener("abort", abort);
      this.#signal = undefined;
      this.#signature = undefined;
      this.#transport.release();
      if (!this.#hasReported) this.#rollCall.forget(this.#sequence);
    }
  }
  /** Whatever has arrived for this collective and is there now. */
  #take(): Uint8Array | undefined {
    for (let arrival; (arrival = this.#transport.receive());) {
      const { head, payload } = arrival;
      if (!this.#isFromPeer(head) || this.#isRepeated(arrival)) continue;
      if (head.type !== FrameType.data) {
        this.#obey(head, payload);
        if (this.#disagrees) return undefined;
        continue;
      }
      // Not every collective waits for every rank (a scattered array may be shorter than the ranks are many): others may be several ahead.
      if (head.sequence > this.#sequence) this.#early.keep(head, payload);
      else if (head.sequence === this.#sequence) {
        if (!head.agreesWith(this.#head)) {
          this.#disagrees = true;
          return undefined;
        }
        this.arrived = head;
        return payload;
      }
    }
    return undefined;
  }

  #isFromPeer(head: Head): boolean {
    return head.isOurs && head.belongsTo(this.#generation, this.#token) && head.source < this.worldSize &&
      head.source !== this.rank;
  }

  /** Counts a frame. @throws Error if it is damaged; ConnectionLostError if frames before it are missing */
  #isRepeated({ head, payload, isCut }: Arrival): boolean {
    const { source, number } = head;
    if (isCut) {
      throw new Error(
        `a frame from rank ${source} for ${this.#named()} is damaged: it has ${payload.byteLength} of ${head.length} bytes`,
      );
    }
    const missing = number - this.#received[source] - 1;
    if (!(missing >= 0)) return true;
    // Why a rank failed says more than what was lost before.
    if (missing > 0 && head.type !== FrameType.abort) {
      throw new ConnectionLostError(
        `${missing} ${
          missing === 1 ? "message" : "messages"
        } from rank ${source} to rank ${this.rank} got lost before or in ` +
          `${this.#named()}: the connection between them broke`,
        source,
      );
    }
    this.#received[source] = number;
    return false;
  }

  #post(to: number, head: Head, payload: Uint8Array, inPlace: boolean): void {
    head.number = ++this.#sent[to];
    this.#transport.send(to, head, payload, inPlace);
  }

  /** Waits for what {@linkcode #take} would return. */
  async #next(): Promise<Uint8Array> {
    const began = this.#transport.isQuick ? this.#clock.now() : -Infinity;
    for (;;) {
      this.#checkAbort();
      if (this.#disagrees) await this.#consult();
      this.#checkLeft();
      const now = this.#clock.now();
      if (now >= this.#deadline) await this.#giveUp();
      if (now >= this.#askAt) this.#report({ asks: true });
      if (now - this.#lastBreath > BREATH_MS) await this.#breathe();
      else if (!this.#transport.waitBriefly()) {
        // Between looking and sleeping nothing is lost: the wait ends at once if something came.
        const here = this.#take();
        if (here) return here;
        if (this.#disagrees) continue;
        if (this.#failure || this.#signal?.aborted) continue;
        // A thread takes a while to wake this one up, so that at first the short waits are repeated, and others get their turn between.
        if (this.#clock.now() - began < PATIENCE_MS) await this.#breathe();
        else {await this.#transport.wait(
            Math.min(Math.min(this.#deadline, this.#askAt) - this.#clock.now(), this.#watch ? WATCH_MS : Infinity),
          );}
        this.#lastBreath = this.#clock.now();
      }
      if (this.#failure) throw this.#failure;
      const payload = this.#take();
      if (payload) return payload;
    }
  }

  async #breathe(): Promise<void> {
    await this.#clock.turn();
    this.#lastBreath = this.#clock.now();
  }

  #checkAbort(): void {
    this.#failure ??= this.#watch?.failure(this.#doing);
    if (this.#failure) throw this.#failure;
    this.#signal?.throwIfAborted();
  }

  /** Looks at what came for this collective before it was called here. */
  #welcomeEarly(): void {
    for (const head of this.#early.from(this.#sequence)) {
      if (head.sequence === this.#sequence && !head.agreesWith(this.#head)) this.#disagrees = true;
    }
    for (const report of this.#rollCall.reports(this.#sequence)) this.#weigh(report);
  }

  /** Handles a frame that carries no data. */
  #obey(head: Head, payload: Uint8Array): void {
    const source = head.source;
    if (head.type === FrameType.goodbye) this.#noteLeft(head, payload);
    else if (head.type === FrameType.abort) {
      const told = parseFailure(payload, source);
      const { operation, host } = told;
      // Whose time is over as well will say himself who is missing.
      if (this.#isGivingUp && told.name === "CommTimeoutError") return;
      // What others disagree about is no failure of the one that says so.
      if (told.name === "CollectiveMismatchError") throw this.#failure ??= new CollectiveMismatchError(told.message);
      const where = this.#signature ? ` while rank ${this.rank} was in ${this.#named()}` : "";
      const cause = Object.assign(new Error(told.message), { name: told.name, stack: told.stack });
      this.#failure ??= new RankFailedError(`rank ${source} failed${where}: ${told.name}: ${told.message}`, {
        rank: source,
        ...(operation && { operation }),
        ...(host && { host }),
      }, { cause });
      throw this.#failure;
    } else if (head.type === FrameType.report) {
      const sequence = head.sequence, report = parseReport(payload, source);
      const past = this.#reported.get(sequence);
      if (past && sequence < this.#sequence) {
        this.#rollCall.noteReport(source, sequence, report);
        // This rank needed nothing of it, agreed with those that it heard, and went on. Who disagrees was heard too late.
        if (!agree(report.signature, past.signature)) throw this.#failure ??= this.#rollCall.mismatch(sequence, past);
      }
      if (sequence !== this.#sequence) this.#rollCall.noteElsewhere(source, sequence, report);
      // The next is kept for when this rank comes there.
      if (sequence === this.#sequence || sequence === this.#sequence + 1) {
        this.#rollCall.noteReport(source, sequence, report);
      }
      if (!this.#signature) return;
      if (sequence === this.#sequence) this.#weigh(report);
      // Who is elsewhere, and asks, has to know that this rank lives, and where.
      else if (report.asks) this.#report(this.#hasReported ? { again: true, to: source } : {});
    }
  }

  /** Compares what another rank says it called with what was called here, and says so in turn. */
  #weigh(report: Report): void {
    if (!agree(report.signature, this.#signature!)) this.#disagrees = true;
    if (report.asks) this.#report();
  }

  /**
   * Tells all ranks what was called here, once.
   * @param options `asks`: they shall do the same. Default: false. `again`: also if it was told before. Default: false. `to`: only this rank. Default: all
   */
  #report(options: { asks?: boolean; again?: boolean; to?: number } = {}): void {
    const { asks = false, again = false, to } = options;
    if (asks) this.#askAt = Infinity;
    if (this.#hasReported && !again) return;
    this.#hasReported = true;
    const report = { signature: this.#signature!, site: callSite(this.#call), asks };
    this.#reported.set(this.#sequence, report);
    if (this.#reported.size > MOST_REPORTS) {
      const [oldest] = this.#reported.keys();
      this.#reported.delete(oldest);
      this.#rollCall.forget(oldest);
    }
    this.#tellAll(FrameType.report, report, (rank) => to === undefined || rank === to);
  }

  #tellAll(type: number, content?: object, whom: (rank: number) => boolean = () => true): void {
    this.#control.sign(type, this.#sequence, this.#signature ?? NOTHING);
    const payload = content ? new TextEncoder().encode(JSON.stringify(content)) : EMPTY;
    this.#control.length = payload.byteLength;
    for (let to = 0; to < this.worldSize; to++) {
      if (to !== this.rank && whom(to)) this.#post(to, this.#control, payload, false);
    }
  }

  #tellFailure(reason: Error): void {
    if (reason instanceof CollectiveMismatchError || reason instanceof RankFailedError) return;
    this.#tell(reason);
  }

  #tell(reason: Error, whom?: (rank: number) => boolean): void {
    const { name, message, stack } = reason;
    const longest = reason instanceof CollectiveMismatchError ? LONGEST_MISMATCH : 4_000;
    this.#tellAll(FrameType.abort, {
      name: String(name ?? "Error").slice(0, 200),
      message: String(message ?? reason).slice(0, longest),
      stack: stack?.slice(0, 3000),
      operation: this.#signature?.kind,
    }, whom);
  }

  #sayGoodbye(farewell: Farewell = {}): void {
    const payload = new TextEncoder().encode(JSON.stringify({ host: this.#hostName, ...farewell }));
    this.#control.sign(FrameType.goodbye, this.#signature ? this.#sequence - 1 : this.#sequence, NOTHING);
    this.#control.length = payload.byteLength;
    this.#noteWhoLeft();
    for (let to = 0; to < this.worldSize; to++) {
      if (to !== this.rank && !this.#rollCall.hasLeft(to)) this.#post(to, this.#control, payload, false);
    }
  }

  #noteLeft({ source, sequence }: Head, payload: Uint8Array): void {
    this.#rollCall.noteLeft(source, { finished: sequence, ...parseFarewell(payload) });
  }

  /** Who has left does not listen any more: what is sent to it would linger until the time for that is over. */
  #noteWhoLeft(): void {
    for (let arrival; (arrival = this.#transport.receive());) {
      const { head, payload, isCut } = arrival;
      if (this.#isFromPeer(head) && head.type === FrameType.goodbye && !isCut) this.#noteLeft(head, payload);
    }
  }

  /** Asks the others what they called, for a second at most. */
  async #hearOthers(): Promise<void> {
    // Who answered from elsewhere before may have gone on.
    this.#rollCall.forgetElsewhere();
    this.#report({ asks: true, again: true });
    const until = this.#clock.now() + CONSULT_MS;
    for (;;) {
      for (let arrival; (arrival = this.#transport.receive());) {
        const { head, payload } = arrival;
        if (this.#isFromPeer(head) && !this.#isRepeated(arrival) && head.type !== FrameType.data) {
          this.#obey(head, payload);
        }
      }
      const left = until - this.#clock.now();
      if (left <= 0 || this.#rollCall.silent(this.#sequence).length === 0) return;
      await this.#transport.wait(left);
      if (this.#closing) throw this.#failure;
    }
  }

  /** Ranks disagree: finds out who called what and throws. */
  async #consult(): Promise<never> {
    await this.#hearOthers();
    const error = this.#mismatch();
    // Who took part knows it too. Who needed nothing in this collective has gone on, and would wait in the next.
    this.#tell(error, (rank) => !this.#rollCall.hasReported(this.#sequence, rank) && !this.#rollCall.hasLeft(rank));
    throw error;
  }

  #mismatch(): CollectiveMismatchError {
    return this.#rollCall.mismatch(this.#sequence, { signature: this.#signature!, site: callSite(this.#call) });
  }

  #leftError({ rank, finished, host, exitCode }: Leaving & { rank: number }): Error {
    const who = `rank ${rank}${host === undefined ? "" : ` on ${host}`}`;
    if (exitCode !== undefined) {
      return new RankFailedError(
        `${who} exited with code ${exitCode} after ${finished} collectives; meanwhile ${this.#doing()}`,
        { rank, ...(host && { host }) },
      );
    }
    return new CollectiveMismatchError(
      `${who} left the process group after ${finished} collectives, but rank ${this.rank} called collective ` +
        `${this.#sequence}: ${this.#named()}. Every rank must call the same collectives in the same order.`,
    );
  }

  /** The time is over: finds out who is not there and throws. */
  async #giveUp(): Promise<never> {
    this.#isGivingUp = true;
    await this.#hearOthers();
    if (this.#disagrees) throw this.#mismatch();
    const who = this.#rollCall.absentees(this.#sequence);
    throw new CommTimeoutError(
      `rank ${this.rank} waited ${this.#turnTimeoutMs / 1000} s in ${this.#named()}: ${who}`,
      { operation: this.#signature!.kind, timeoutMs: this.#turnTimeoutMs },
    );
  }

  #named(): string {
    if (!this.#signature) return "no collective";
    return `${describe(this.#signature)}, called at ${callSite(this.#call)}`;
  }

  #closedError(signature: Signature): Error {
    return new Error(`the process group is closed; ${signature.kind} cannot be called any more`, {
      cause: this.#failure,
    });
  }
}

const NOTHING: Signature = { kind: "none", dtype: "none", op: "none", root: 0, count: 0 };

function agree(a: Signature, b: Signature): boolean {
  const [one, other] = [new Head().sign(FrameType.data, 0, a), new Head().sign(FrameType.data, 0, b)];
  return one.agreesWith(other);
}
