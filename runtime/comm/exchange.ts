import type { Clock } from "../core/clock.ts";
import { type Agreement, CONSULT_MS } from "./agreement.ts";
import type { CurrentCollective } from "./current_collective.ts";
import { EarlyFrames } from "./early_frames.ts";
import type { Farewells } from "./farewells.ts";
import { FrameType, type Head, type Signature } from "./frame.ts";
import type { GroupFailure } from "./group_failure.ts";
import type { GroupWatch } from "./group_watch.ts";
import type { NumberedFrames } from "./numbered_frames.ts";
import type { Peers } from "./peers.ts";
import type { Transport } from "./transport.ts";

/** How long a collective may go on before the event loop gets a turn. */
const BREATH_MS = 10;
/** How long a wait stays on the event loop's own thread, in short waits, before it moves to another. */
const PATIENCE_MS = 2;
/** How long a collective waits until it asks again whether a rank failed. */
const WATCH_MS = 200;
const EMPTY = new Uint8Array(0);

/** What {@linkcode Exchange} works with. */
export interface ExchangeParts {
  readonly frames: NumberedFrames;
  readonly collective: CurrentCollective;
  readonly failure: GroupFailure;
  readonly farewells: Farewells;
  readonly agreement: Agreement;
  readonly clock: Clock;
  readonly watch: GroupWatch | undefined;
  /** How much another rank may send before this one comes to it. */
  readonly maxEarlyBytes: number;
}

/**
 * Moves the frames of the collective that runs: puts what arrives in the order in which it is asked for, and ends every wait when a rank fails or leaves, ranks
 * disagree, the time is over or the collective is called off. How a collective moves its data is not its business.
 */
export class Exchange implements Peers {
  readonly rank: number;
  readonly worldSize: number;
  readonly #transport: Transport;
  readonly #frames: NumberedFrames;
  readonly #collective: CurrentCollective;
  readonly #failure: GroupFailure;
  readonly #farewells: Farewells;
  readonly #agreement: Agreement;
  readonly #clock: Clock;
  readonly #watch: GroupWatch | undefined;
  readonly #early: EarlyFrames;
  readonly #head: Head;
  #lastBreath = 0;
  /** What was sent without a copy: kept until the others have it. */
  #held: Uint8Array[] = [];

  /** The head of the frame that {@linkcode receive} or {@linkcode receiveAny} returned last. */
  arrived: Head;

  constructor(transport: Transport, parts: ExchangeParts) {
    this.rank = transport.rank;
    this.worldSize = transport.worldSize;
    this.#transport = transport;
    this.#frames = parts.frames;
    this.#collective = parts.collective;
    this.#failure = parts.failure;
    this.#farewells = parts.farewells;
    this.#agreement = parts.agreement;
    this.#clock = parts.clock;
    this.#watch = parts.watch;
    this.#early = new EarlyFrames(this.worldSize, parts.maxEarlyBytes);
    this.#head = parts.frames.newHead();
    this.arrived = this.#head;
  }

  /** A collective begins: looks at what came for it before it was called here. */
  begin(signature: Signature): void {
    const { began, sequence } = this.#collective;
    this.#lastBreath = began;
    this.#head.sign(FrameType.data, sequence, signature);
    this.#checkAbort();
    for (const head of this.#early.from(sequence)) {
      if (head.sequence === sequence && !head.agreesWith(this.#head)) this.#agreement.noteDisagreement();
    }
    this.#agreement.weighEarly();
  }

  /** The collective went well: the others have what was sent to them. */
  end(): void {
    this.#held.length = 0;
  }

  /** The group was left: nothing is needed any more. */
  clear(): void {
    this.#held = [];
    this.#early.clear();
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
    this.#frames.send(to, head, payload, inPlace);
  }

  /** The payload of a step, which lasts until the next call. */
  async receive(from: number, step: number): Promise<Uint8Array> {
    this.#watch?.waitsFor(from, step);
    const early = this.#early.take(this.#collective.sequence, from, step);
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
    const early = this.#early.takeAny(this.#collective.sequence, limit);
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
      this.#farewells.check();
      const payload = this.#take();
      if (payload) this.#early.keep(this.arrived, payload);
      else if (this.#agreement.disagrees) await this.#agreement.consult();
      else if (this.#clock.now() >= this.#collective.deadline) await this.#agreement.giveUp();
      else await this.#transport.wait(Math.min(this.#collective.deadline - this.#clock.now(), WATCH_MS));
    }
  }

  /** Whatever has arrived for this collective and is there now. */
  #take(): Uint8Array | undefined {
    const { sequence } = this.#collective;
    for (let arrival; (arrival = this.#frames.receive());) {
      const { head, payload } = arrival;
      if (head.type !== FrameType.data) {
        this.#agreement.hear(arrival);
        if (this.#agreement.disagrees) return undefined;
        continue;
      }
      // Not every collective waits for every rank (a scattered array may be shorter than the ranks are many): others may be several ahead.
      if (head.sequence > sequence) this.#early.keep(head, payload);
      else if (head.sequence === sequence) {
        if (!head.agreesWith(this.#head)) {
          this.#agreement.noteDisagreement();
          return undefined;
        }
        this.arrived = head;
        return payload;
      }
    }
    return undefined;
  }

  /** Waits for what {@linkcode #take} would return. */
  async #next(): Promise<Uint8Array> {
    const began = this.#transport.isQuick ? this.#clock.now() : -Infinity;
    for (;;) {
      this.#checkAbort();
      if (this.#agreement.disagrees) await this.#agreement.consult();
      this.#farewells.check();
      const now = this.#clock.now();
      if (now >= this.#collective.deadline) await this.#agreement.giveUp();
      if (now >= this.#agreement.askAt) this.#agreement.ask();
      if (now - this.#lastBreath > BREATH_MS) await this.#breathe();
      else if (!this.#transport.waitBriefly()) {
        // Between looking and sleeping nothing is lost: the wait ends at once if something came.
        const here = this.#take();
        if (here) return here;
        if (this.#agreement.disagrees) continue;
        if (this.#failure.error || this.#collective.signal?.aborted) continue;
        // A thread takes a while to wake this one up, so that at first the short waits are repeated, and others get their turn between.
        if (this.#clock.now() - began < PATIENCE_MS) await this.#breathe();
        else {await this.#transport.wait(
            Math.min(
              Math.min(this.#collective.deadline, this.#agreement.askAt) - this.#clock.now(),
              this.#watch ? WATCH_MS : Infinity,
            ),
          );}
        this.#lastBreath = this.#clock.now();
      }
      if (this.#failure.error) throw this.#failure.error;
      const payload = this.#take();
      if (payload) return payload;
    }
  }

  async #breathe(): Promise<void> {
    await this.#clock.turn();
    this.#lastBreath = this.#clock.now();
  }

  /** Throws what ends the collective. */
  #checkAbort(): void {
    const error = this.#failure.error ?? this.#watch?.failure(this.#collective.doing);
    if (error) throw this.#failure.note(error);
    this.#collective.signal?.throwIfAborted();
  }
}
