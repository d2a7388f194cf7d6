import { rejectUnknownOptions } from "../core/suggest.ts";
import { changing } from "../tensor/step_recording.ts";
import { tf } from "../tensor/tf.ts";
import { fusedAdam } from "./fused/fused_adam.ts";
import { GradientOptimizer, type GradientOptimizerOptions, type ParameterUpdate } from "./gradient_optimizer.ts";
import { checkNumber } from "./optimizer_state.ts";

/** Options of {@linkcode Adam} and {@linkcode AdamW}. */
export interface AdamOptions extends GradientOptimizerOptions {
  /** How much of the running means of the gradient and of its square is kept at each step. Default: [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to the denominator. Default: 1e-8. */
  eps?: number;
}

/**
 * Adam (D. Kingma and J. Ba, 2015), computed as in PyTorch. `weightDecay` (default 0) is added to the gradient.
 *
 * @example
 * ```ts
 * const optimizer = new Adam({ learningRate: 1e-3, betas: [0.9, 0.99] });
 * console.assert(optimizer.learningRate === 1e-3);
 * ```
 */
export class Adam extends GradientOptimizer {
  override readonly name: string = "Adam";
  readonly #betas: readonly [number, number];
  readonly #eps: number;

  /** @throws RangeError if an option is out of range */
  constructor(options: AdamOptions = {}, defaultWeightDecay = 0) {
    super(options, defaultWeightDecay);
    rejectUnknownOptions(new.target.name, options, ["learningRate", "weightDecay", "parameters", "betas", "eps"]);
    this.#betas = options.betas ?? [0.9, 0.999];
    this.#eps = options.eps ?? 1e-8;
    checkNumber("betas[0]", this.#betas[0], { below: 1 });
    checkNumber("betas[1]", this.#betas[1], { below: 1 });
    checkNumber("eps", this.#eps);
  }

  /** Decay that goes into the gradient, or (AdamW) straight into the parameter. */
  protected get decoupled(): boolean {
    return false;
  }

  protected override update(update: ParameterUpdate): void {
    const { variable, gradient, weightDecay, state } = update;
    const [beta1, beta2] = this.#betas;
    const firstMoment = state("firstMoment"), secondMoment = state("secondMoment");
    // The corrections of both means, as factors of the rate and of eps: two operations fewer.
    const correction = () => Math.sqrt(1 - beta2 ** update.step);
    const rateNow = () => update.learningRate * correction() / (1 - beta1 ** update.step);
    const epsNow = () => this.#eps * correction();
    const keepNow = () => this.decoupled ? 1 - update.learningRate * weightDecay : 1;
    const l2 = this.decoupled ? 0 : weightDecay;
    const tensors = { parameter: variable, gradient, firstMoment, secondMoment };
    if (
      tf.getBackend() === "wasm" &&
      fusedAdam(tensors, { beta1, beta2, rate: rateNow(), eps: epsNow(), keep: keepNow(), l2 })
    ) return;
    const g = l2 === 0 ? gradient : tf.add(gradient, tf.mul(variable, l2));
    const m = tf.add(firstMoment, tf.mul(tf.sub(g, firstMoment), 1 - beta1));
    const v = tf.add(tf.mul(secondMoment, beta2), tf.mul(tf.square(g), 1 - beta2));
    const change = tf.mul(tf.div(m, tf.add(tf.sqrt(v), changing(epsNow))), changing(rateNow));
    firstMoment.assign(m);
    secondMoment.assign(v);
    const kept = this.decoupled && weightDecay !== 0 ? tf.mul(variable, changing(keepNow)) : variable;
    variable.assign(tf.sub(kept, change));
  }
}
