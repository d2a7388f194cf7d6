import type { ShardedOptimizer } from "../../strategies/strategy.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { StateDict } from "../tensor/state.ts";
import { stepRecorder } from "../tensor/step_recording.ts";
import type { tf } from "../tensor/tf.ts";
import type { PendingUpdates } from "./pending_updates.ts";

/** What {@linkcode FabricOptimizer} is made of. */
export interface FabricOptimizerParts {
  /** Is called after each step. */
  readonly afterStep: (optimizer: FabricOptimizer) => void;
  /** Spreads its state over the ranks. Default: every rank has all of it. */
  readonly shard?: ShardedOptimizer;
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
   * @returns nothing; with `shardOptimizerState` a promise that must be awaited before the next forward pass, which throws otherwise: all ranks wait in it
   * for the parameters that others own
   */
  step(): void | PromiseLike<void> {
    this.original.step();
    const { shard, pending } = this.#parts;
    if (!shard) return this.stepped();
    return pending.add(shard.share().then(() => this.stepped()));
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

  /** Whether its state is spread over the ranks. */
  get isSharded(): boolean {
    return this.#parts.shard !== undefined;
  }

  /** @throws Error with `shardOptimizerState`: no rank has all of it */
  stateDict(): StateDict {
    if (!this.#parts.shard) return this.ownStateDict();
    throw new Error(
      `The state of ${this.name} is spread over the ranks by \`shardOptimizerState\`: save it by \`fabric.save\`, or call ` +
        "`await optimizer.gatherStateDict()` on all ranks, which gives rank 0 all of it",
    );
  }

  /** As {@linkcode stateDict}; with `shardOptimizerState` all ranks call it and wait, and rank 0 gets all of it, the others what they own. */
  async gatherStateDict(): Promise<StateDict> {
    const { shard } = this.#parts;
    return shard ? this.withMore(await shard.gatherState()) : this.stateDict();
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
