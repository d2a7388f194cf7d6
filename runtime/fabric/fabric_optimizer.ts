import type { OptimizerSynchronizer } from "../../strategies/strategy.ts";
import { asUserCall } from "../core/user_call.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { StateDict } from "../tensor/state.ts";
import { stepRecorder } from "../tensor/step_recording.ts";
import type { tf } from "../tensor/tf.ts";
import type { PendingUpdates } from "./pending_updates.ts";

/** What {@linkcode FabricOptimizer} is made of. */
export interface FabricOptimizerParts {
  /** Is called after each step. */
  readonly afterStep: (optimizer: FabricOptimizer) => void;
  /** Exchanges with other ranks after its steps. Default: nothing does. */
  readonly synchronizer?: OptimizerSynchronizer;
  /** Whether ranks step with gradients of their own, as they do in local SGD. Default: false. */
  readonly stepsAlone?: boolean;
  /** Knows of steps that nobody awaited. */
  readonly pending: PendingUpdates;
}

/** An optimizer after `fabric.setup`: it steps with the gradients that `fabric.backward` left. */
export class FabricOptimizer implements Optimizer {
  /** The optimizer underneath. */
  readonly original: Optimizer;
  readonly #parts: FabricOptimizerParts;

  constructor(original: Optimizer, parts: FabricOptimizerParts) {
    this.original = original;
    this.#parts = parts;
  }

  get name(): string {
    return this.original.name;
  }

  get parameters(): readonly tf.Variable[] {
    return this.original.parameters;
  }

  get learningRate(): number {
    return this.original.learningRate;
  }

  set learningRate(value: number) {
    this.original.learningRate = value;
  }

  /**
   * Updates the parameters that have a gradient.
   * @returns nothing; with `shardOptimizerState` and with local SGD a promise that must be awaited before the next forward pass, which throws otherwise:
   * parameters travel between the ranks in it
   */
  step(): void | PromiseLike<void> {
    this.original.step();
    const { synchronizer, pending } = this.#parts;
    if (!synchronizer) return this.stepped();
    return pending.add(asUserCall(() => synchronizer.afterStep()).then(() => this.stepped()));
  }

  /** Tells that a step is over, one without an update too. */
  protected stepped(): void {
    const recorder = stepRecorder(), { afterStep } = this.#parts;
    if (recorder) recorder.afterwards(() => afterStep(this));
    else afterStep(this);
  }

  /** Forgets the gradients of the parameters. */
  zeroGrad(): void {
    this.original.zeroGrad();
  }

  /**
   * With local SGD makes weights, buffers and state of all ranks their mean now, rather than when it is next due: before an evaluation in a loop of your own.
   * All ranks call it and wait. With other strategies they are the same anyway, and it does nothing.
   * @throws RankFailedError, CollectiveMismatchError, CommTimeoutError from the ranks
   */
  async synchronize(): Promise<void> {
    this.#parts.pending.check("`optimizer.synchronize`");
    await asUserCall(async () => await this.#parts.synchronizer?.agree?.());
  }

  /** Whether its weights may differ from rank to rank, as they do between the averages of local SGD. */
  get differs(): boolean {
    return this.#parts.synchronizer?.differs ?? false;
  }

  /** Whether ranks step with gradients of their own, as they do in local SGD. */
  get stepsAlone(): boolean {
    return this.#parts.stepsAlone ?? false;
  }

  /** Whether its state is spread over the ranks. */
  get isSharded(): boolean {
    return this.#parts.synchronizer?.gatherState !== undefined;
  }

  /** @throws Error with `shardOptimizerState`: no rank has all of it */
  stateDict(): StateDict {
    if (!this.isSharded) return this.ownStateDict();
    throw new Error(
      `The state of ${this.name} is spread over the ranks by \`shardOptimizerState\`: save it by \`fabric.save\`, or call ` +
        "`await optimizer.gatherStateDict()` on all ranks, which gives rank 0 all of it",
    );
  }

  /** As {@linkcode stateDict}; with `shardOptimizerState` all ranks call it and wait, and rank 0 gets all of it, the others what they own. */
  async gatherStateDict(): Promise<StateDict> {
    const state = await this.#parts.synchronizer?.gatherState?.();
    return state ? this.withMore(state) : this.stateDict();
  }

  /** As {@linkcode stateDict}; with `shardOptimizerState` what this rank owns. */
  ownStateDict(): StateDict {
    return this.withMore(this.original.stateDict());
  }

  /** A state with what is saved besides that of the optimizer underneath. */
  protected withMore(state: StateDict): StateDict {
    return state;
  }

  /** With `shardOptimizerState` this rank keeps of a whole state what it owns. */
  loadStateDict(state: StateDict, options?: { strict?: boolean }): void {
    this.original.loadStateDict(state, options);
  }

  dispose(): void {
    this.original.dispose();
  }
}
