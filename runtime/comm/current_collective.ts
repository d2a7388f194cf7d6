import { hereAsUserCall, type UserCall } from "../core/user_call.ts";
import { callSite } from "./call_site.ts";
import { describe, type Signature } from "./frame.ts";
import type { Report } from "./rank_messages.ts";

/** How a collective was called. */
export interface CollectiveCall {
  /** Where in the user's program. */
  readonly call: UserCall;
  readonly signal: AbortSignal | undefined;
  /** How long it may take. */
  readonly timeoutMs: number;
  /** What the clock says now. */
  readonly now: number;
}

/** What this rank is in: the number of the collective, what was called and where, and until when it may wait. Only the queue begins and ends it. */
export class CurrentCollective {
  readonly rank: number;
  #sequence: number;
  #signature: Signature | undefined;
  #call: UserCall = hereAsUserCall();
  #signal: AbortSignal | undefined;
  #timeoutMs = 0;
  #began = 0;
  #deadline = 0;
  /** In words, e.g. `rank 1 was in barrier, called at train.ts:3:7`. */
  readonly doing = () => `rank ${this.rank} was in ${this.name}`;

  /** @param lastSequence the number before that of the first collective */
  constructor(rank: number, lastSequence: number) {
    this.rank = rank;
    this.#sequence = lastSequence;
  }

  begin(signature: Signature, { call, signal, timeoutMs, now }: CollectiveCall): void {
    this.#sequence++;
    this.#signature = signature;
    this.#call = call;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
    this.#began = now;
    this.#deadline = now + timeoutMs;
  }

  end(): void {
    this.#signal = undefined;
    this.#signature = undefined;
  }

  /** The number of the collective that runs or ran last. */
  get sequence(): number {
    return this.#sequence;
  }

  /** What was called; undefined between collectives. */
  get signature(): Signature | undefined {
    return this.#signature;
  }

  /** Calls the collective off. */
  get signal(): AbortSignal | undefined {
    return this.#signal;
  }

  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** What the clock said when it began. */
  get began(): number {
    return this.#began;
  }

  /** When its time is over. */
  get deadline(): number {
    return this.#deadline;
  }

  /** What this rank called, for others to compare. In a collective only. */
  get report(): Omit<Report, "asks"> {
    return { signature: this.#signature!, site: callSite(this.#call) };
  }

  /** What was called and where, in words. */
  get name(): string {
    if (!this.#signature) return "no collective";
    return `${describe(this.#signature)}, called at ${callSite(this.#call)}`;
  }
}
