import type { Stateful } from "../tensor/state.ts";
import type { tf } from "../tensor/tf.ts";

/** Updates parameters by the gradients that `backward` accumulated for them. */
export interface Optimizer extends Stateful {
  /** Its kind, e.g. `AdamW`. */
  readonly name: string;
  /** What it updates. */
  readonly parameters: readonly tf.Variable[];
  /** The step size; schedulers set it. Groups with a rate of their own change in proportion. */
  learningRate: number;
  /** Updates every parameter that has a gradient. */
  step(): void;
  /** Forgets and frees the gradients of its parameters. */
  zeroGrad(): void;
  /** Frees its own state, not the parameters. */
  dispose(): void;
}

export { asOptimizer, type OptimizerParameters } from "./as_optimizer.ts";
