import type { Fabric } from "../fabric/fabric.ts";
import type { StopRequest } from "../fabric/stop_signals.ts";

/** Thrown where a run ends because the user interrupted it. Caught by the Trainer. */
export class Interruption extends Error {
  override readonly name = "Interruption";
}

/**
 * Whether to stop, or to validate because the time has come, agreed between the ranks: a rank that wants to says so with the gradients,
 * and all ranks act after the same step.
 */
export class StopControl {
  readonly #fabric: Fabric;
  /** What told this rank, or another one once they have agreed. */
  #signal: Deno.Signal | undefined;
  #preempted = false;
  #agreedStop = false;
  #agreedInterrupt = false;
  #raised = false;
  #wantsValidation = false;
  #agreedValidation = false;
  /** Set by callbacks and the model: stop when the least number of epochs and steps is reached. */
  shouldStop = false;

  constructor(fabric: Fabric) {
    this.#fabric = fabric;
  }

  /** The user, or the cluster, wants to end the run after this step. */
  interrupt({ signal, isPreemption }: StopRequest): void {
    this.#signal = signal;
    this.#preempted ||= isPreemption;
  }

  /** By which signal, once the ranks have agreed. */
  get signal(): Deno.Signal | undefined {
    return this.#signal;
  }

  /** Whether the cluster wanted it: the same on all ranks once they have agreed. */
  get isPreempted(): boolean {
    return this.#preempted;
  }

  /** The same on all ranks: whether they want to stop. */
  get isAgreed(): boolean {
    return this.#fabric.worldSize === 1 ? this.shouldStop : this.#agreedStop;
  }

  /** Rank 0's clock says that it is time to validate. */
  askForValidation(): void {
    this.#wantsValidation = true;
    this.#raise();
  }

  /** The same on all ranks: true once after one asked for a validation. */
  takeValidation(): boolean {
    const agreed = this.#agreedValidation;
    this.#agreedValidation = false;
    return agreed;
  }

  /** Within an evaluation. Ranks cannot agree there, so that only a run of one rank ends. @throws Interruption */
  throwIfInterruptedAlone(): void {
    if (this.#signal && this.#fabric.worldSize === 1) throw new Interruption("interrupted");
  }

  /** @throws Interruption if the ranks agreed that one was interrupted */
  throwIfInterrupted(): void {
    this.throwIfInterruptedAlone();
    if (this.#agreedInterrupt) throw new Interruption("interrupted");
  }

  /** After a training step, whose gradients carried the ranks' wishes: takes note. A message is sent only if there is one. */
  async afterStep(): Promise<void> {
    if (this.#fabric.worldSize === 1) return;
    if (this.#fabric.agreedFlags.has("stop")) {
      this.#raised = false;
      await this.#ask();
    } else if ((this.shouldStop || this.#signal) && !this.#agreedStop) this.#raise();
  }

  #raise(): void {
    if (this.#raised) return;
    this.#fabric.raiseFlag("stop");
    this.#raised = true;
  }

  /** Where all ranks are: asks them, in one message. @throws Interruption if one was interrupted */
  async agree(): Promise<void> {
    if (this.#fabric.worldSize > 1) await this.#ask();
    this.throwIfInterrupted();
  }

  async #ask(): Promise<void> {
    const mine = {
      stop: this.shouldStop,
      signal: this.#signal ?? null,
      preempted: this.#preempted,
      validate: this.#wantsValidation,
    };
    this.#wantsValidation = false;
    const ranks = await this.#fabric.allGatherObjects(mine, { purpose: "whether the Trainer stops" });
    this.#agreedValidation ||= ranks.some(({ validate }) => validate);
    this.#agreedStop = ranks.some(({ stop }) => stop);
    // What has come in the meantime is kept for the next time.
    this.shouldStop = this.#agreedStop || this.shouldStop && !mine.stop;
    const told = ranks.find(({ signal }) => signal !== null)?.signal;
    this.#agreedInterrupt = told !== undefined;
    if (!told) return;
    this.#signal = told;
    this.#preempted = ranks.some(({ preempted }) => preempted);
  }
}
