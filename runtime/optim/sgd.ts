import { rejectUnknownOptions } from "../core/suggest.ts";
import { changing } from "../tensor/step_recording.ts";
import { tf } from "../tensor/tf.ts";
import { GradientOptimizer, type GradientOptimizerOptions, type ParameterUpdate } from "./gradient_optimizer.ts";
import { checkNumber } from "./optimizer_state.ts";

/** Options of {@linkcode SGD}. */
export interface SGDOptions extends GradientOptimizerOptions {
  /** How much of the last change goes on. Default: 0. */
  momentum?: number;
  /** Nesterov's momentum, which looks ahead; needs `momentum`. Default: false. */
  nesterov?: boolean;
}

/**
 * Stochastic gradient descent, with momentum if wanted, computed as in PyTorch. `weightDecay` (default 0) is added to the gradient.
 *
 * @example
 * ```ts
 * const optimizer = new SGD({ learningRate: 0.1, momentum: 0.9, nesterov: true });
 * console.assert(optimizer.learningRate === 0.1);
 * ```
 */
export class SGD extends GradientOptimizer {
  override readonly name = "SGD";
  readonly #momentum: number;
  readonly #nesterov: boolean;

  /** @throws RangeError if an option is out of range */
  constructor(options: SGDOptions = {}) {
    super(options, 0);
    rejectUnknownOptions("SGD", options, ["learningRate", "weightDecay", "parameters", "momentum", "nesterov"]);
    this.#momentum = options.momentum ?? 0;
    this.#nesterov = options.nesterov ?? false;
    checkNumber("momentum", this.#momentum);
    if (this.#nesterov && this.#momentum === 0) {
      throw new RangeError(
        "`nesterov: true` needs a `momentum` above 0, e.g. new SGD({ momentum: 0.9, nesterov: true })",
      );
    }
  }

  protected override update(update: ParameterUpdate): void {
    const { variable, gradient, weightDecay, isFirst, state } = update;
    let g = gradient;
    if (weightDecay > 0) g = tf.add(g, tf.mul(variable, weightDecay));
    if (this.#momentum > 0) {
      const velocity = state("momentum");
      const next = isFirst ? g.clone() : tf.add(tf.mul(velocity, this.#momentum), g);
      g = this.#nesterov ? tf.add(g, tf.mul(next, this.#momentum)) : next;
      velocity.assign(next);
    }
    variable.assign(tf.sub(variable, tf.mul(g, changing(() => update.learningRate))));
  }
}
