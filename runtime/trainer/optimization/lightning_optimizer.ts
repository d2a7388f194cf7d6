import type { FabricOptimizer } from "../../fabric/fabric_optimizer.ts";
import type { StateDict } from "../../tensor/state.ts";
import type { tf } from "../../tensor/tf.ts";

/** What a step of manual optimization goes through. */
export type StepAction = (optimizer: LightningOptimizer, closure?: () => unknown) => Promise<void>;

/** An optimizer as `this.optimizers()` and hooks see it. In manual optimization its methods are yours to call. */
export class LightningOptimizer {
  /** The optimizer that `fabric.setup` made, without the Trainer's hooks. */
  readonly original: FabricOptimizer;
  readonly #step: StepAction;

  constructor(original: FabricOptimizer, step: StepAction) {
    this.original = original;
    this.#step = step;
  }

  /** Its kind, e.g. `Adam`. */
  get name(): string {
    return this.original.name;
  }
  /** What it updates. */
  get parameters(): readonly tf.Variable[] {
    return this.original.parameters;
  }
  /** The step size. */
  get learningRate(): number {
    return this.original.learningRate;
  }
  set learningRate(value: number) {
    this.original.learningRate = value;
  }

  /**
   * Manual optimization: updates the parameters that have a gradient, after the `onBeforeOptimizerStep` hooks. Resolves when it is done.
   * @param closure runs first, e.g. to compute the gradients
   */
  async step(closure?: () => unknown): Promise<void> {
    await this.#step(this, closure);
  }
  /** Forgets the gradients of the parameters. */
  zeroGrad(): void {
    this.original.zeroGrad();
  }

  stateDict(): StateDict {
    return this.original.stateDict();
  }
  /** See {@linkcode FabricOptimizer.gatherStateDict}. */
  gatherStateDict(): Promise<StateDict> {
    return this.original.gatherStateDict();
  }
  /** See {@linkcode FabricOptimizer.ownStateDict}. */
  ownStateDict(): StateDict {
    return this.original.ownStateDict();
  }
  loadStateDict(state: StateDict): void {
    this.original.loadStateDict(state);
  }
}
