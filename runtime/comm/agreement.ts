import type { Clock } from "../core/clock.ts";
import { CommTimeoutError } from "../core/errors.ts";
import type { CurrentCollective } from "./current_collective.ts";
import type { Farewells } from "./farewells.ts";
import { FrameType, Head, type Signature } from "./frame.ts";
import type { GroupFailure } from "./group_failure.ts";
import type { NumberedFrames } from "./numbered_frames.ts";
import { parseReport, type Report } from "./rank_messages.ts";
import type { RollCall } from "./roll_call.ts";
import type { Arrival, Transport } from "./transport.ts";

/** After how long a wait a rank asks the others what they called: they may all wait for each other, in different collectives. */
const ASK_MS = 500;
/** How long ranks that disagree wait to hear what the others called. */
export const CONSULT_MS = 1000;
/** How far back it is known what this rank said it called. */
const MOST_REPORTS = 8;

/** What {@linkcode Agreement} works with. */
export interface AgreementParts {
  readonly transport: Transport;
  readonly frames: NumberedFrames;
  readonly collective: CurrentCollective;
  readonly rollCall: RollCall;
  readonly failure: GroupFailure;
  readonly farewells: Farewells;
  readonly clock: Clock;
}

/**
 * Finds out whether all ranks are in the same collective. Frames of data carry enough to notice that they are not; then, and when a wait gets long, ranks
 * report to each other what they called and where, so that the error of each of them tells it of all.
 */
export class Agreement {
  readonly #transport: Transport;
  readonly #frames: NumberedFrames;
  readonly #collective: CurrentCollective;
  readonly #rollCall: RollCall;
  readonly #failure: GroupFailure;
  readonly #farewells: Farewells;
  readonly #clock: Clock;
  /** What this rank said of what it called, by the collective's number: the last few. */
  readonly #reported = new Map<number, Report>();
  #hasReported = false;
  #disagrees = false;
  #askAt = Infinity;
  #isGivingUp = false;

  constructor(parts: AgreementParts) {
    this.#transport = parts.transport;
    this.#frames = parts.frames;
    this.#collective = parts.collective;
    this.#rollCall = parts.rollCall;
    this.#failure = parts.failure;
    this.#farewells = parts.farewells;
    this.#clock = parts.clock;
  }

  /** A collective begins. */
  begin(): void {
    this.#hasReported = false;
    this.#disagrees = false;
    this.#askAt = this.#collective.began + ASK_MS;
  }

  end(): void {
    if (!this.#hasReported) this.#rollCall.forget(this.#collective.sequence);
  }

  /** Another rank is known to have called something else: {@linkcode consult} is due. */
  get disagrees(): boolean {
    return this.#disagrees;
  }

  /** A frame of another rank was signed for something else. */
  noteDisagreement(): void {
    this.#disagrees = true;
  }

  /** When to ask the others what they called. */
  get askAt(): number {
    return this.#askAt;
  }

  /** Asks the others what they called, once, and goes on. */
  ask(): void {
    this.#report({ asks: true });
  }

  /** Looks at what the others said of this collective before it was called here. */
  weighEarly(): void {
    for (const report of this.#rollCall.reports(this.#collective.sequence)) this.#weigh(report);
  }

  /** Handles a frame that carries no data. @throws what it ends the collective with */
  hear(arrival: Arrival): void {
    const { type } = arrival.head;
    if (type === FrameType.goodbye) this.#farewells.hear(arrival);
    else if (type === FrameType.abort) this.#failure.hear(arrival, this.#isGivingUp);
    else if (type === FrameType.report) this.#hearReport(arrival);
  }

  /** Ranks disagree: finds out who called what and throws. */
  async consult(): Promise<never> {
    await this.#hearOthers();
    const { sequence, report } = this.#collective, rollCall = this.#rollCall;
    const error = rollCall.mismatch(sequence, report);
    // Who took part knows it too. Who needed nothing in this collective has gone on, and would wait in the next.
    this.#failure.tell(error, (rank) => !rollCall.hasReported(sequence, rank) && !rollCall.hasLeft(rank));
    throw error;
  }

  /** The time is over: finds out who is not there and throws. */
  async giveUp(): Promise<never> {
    this.#isGivingUp = true;
    await this.#hearOthers();
    const { sequence, report, rank, timeoutMs, signature, name } = this.#collective;
    if (this.#disagrees) throw this.#rollCall.mismatch(sequence, report);
    const who = this.#rollCall.absentees(sequence);
    throw new CommTimeoutError(
      `rank ${rank} waited ${timeoutMs / 1000} s in ${name}: ${who}`,
      { operation: signature!.kind, timeoutMs },
    );
  }

  #hearReport({ head, payload }: Arrival): void {
    const { source, sequence } = head, report = parseReport(payload, source), here = this.#collective.sequence;
    const past = this.#reported.get(sequence);
    if (past && sequence < here) {
      this.#rollCall.noteReport(source, sequence, report);
      // This rank needed nothing of it, agreed with those that it heard, and went on. Who disagrees was heard too late.
      if (!agree(report.signature, past.signature)) throw this.#failure.note(this.#rollCall.mismatch(sequence, past));
    }
    if (sequence !== here) this.#rollCall.noteElsewhere(source, sequence, report);
    // The next is kept for when this rank comes there.
    if (sequence === here || sequence === here + 1) this.#rollCall.noteReport(source, sequence, report);
    if (!this.#collective.signature) return;
    if (sequence === here) this.#weigh(report);
    // Who is elsewhere, and asks, has to know that this rank lives, and where.
    else if (report.asks) this.#report(this.#hasReported ? { again: true, to: source } : {});
  }

  /** Compares what another rank says it called with what was called here, and says so in turn. */
  #weigh(report: Report): void {
    if (!agree(report.signature, this.#collective.signature!)) this.#disagrees = true;
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
    const { sequence, signature } = this.#collective, report = { ...this.#collective.report, asks };
    this.#reported.set(sequence, report);
    if (this.#reported.size > MOST_REPORTS) {
      const [oldest] = this.#reported.keys();
      this.#reported.delete(oldest);
      this.#rollCall.forget(oldest);
    }
    const whom = (rank: number) => to === undefined || rank === to;
    this.#frames.tell(FrameType.report, { sequence, signature, content: report, whom });
  }

  /** Asks the others what they called, for a second at most. */
  async #hearOthers(): Promise<void> {
    const { sequence } = this.#collective;
    // Who answered from elsewhere before may have gone on.
    this.#rollCall.forgetElsewhere();
    this.#report({ asks: true, again: true });
    const until = this.#clock.now() + CONSULT_MS;
    for (;;) {
      for (let arrival; (arrival = this.#frames.receive());) {
        if (arrival.head.type !== FrameType.data) this.hear(arrival);
      }
      const left = until - this.#clock.now();
      if (left <= 0 || this.#rollCall.silent(sequence).length === 0) return;
      await this.#transport.wait(left);
      // Only leaving the group sets it meanwhile.
      if (this.#failure.error) throw this.#failure.error;
    }
  }
}

function agree(a: Signature, b: Signature): boolean {
  const [one, other] = [new Head().sign(FrameType.data, 0, a), new Head().sign(FrameType.data, 0, b)];
  return one.agreesWith(other);
}
