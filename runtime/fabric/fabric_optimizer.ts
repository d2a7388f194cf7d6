import type { Optimizer } from "../optim/optimizer.ts";
import type { StateDict } from "../tensor/state.ts";
import { stepRecorder } from "../tensor/step_recording.ts";
import type { tf } from "../tensor/tf.ts";

/** An optimizer after `fabric.setup`: it steps with the gradients that `fabric.backward` left. */
export class FabricOptimizer implements Optimizer {
  /** The optimizer underneath. */
  readonly original: Optimizer;
  readonly #afterStep: (optimizer: FabricOptimizer) => void;

  constructor(original: Optimizer, afterStep: (optimizer: FabricOptimizer) => void) {
    this.original = original;
    this.#afterStep = afterStep;
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

  /** Updates the parameters that have a gradient. */
  step(): void {
    this.original.step();
    const recorder = stepRecorder();
    if (recorder) recorder.afterwards(() => this.#afterStep(this));
    else this.#afterStep(this);
  }

  /** Forgets the gradients of the parameters. */
  zeroGrad(): void {
    this.original.zeroGrad();
  }

  stateDict(): StateDict {
    return this.original.stateDict();
  }

  loadStateDict(state: StateDict, options?: { strict?: boolean }): void {
    this.original.loadStateDict(state, options);
  }

  dispose(): void {
    this.original.dispose();
  }
}
