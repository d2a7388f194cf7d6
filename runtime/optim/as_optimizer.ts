import { tf } from "../tensor/tf.ts";
import { adamFromTfjs } from "./adam_from_tfjs.ts";
import { GradientOptimizer } from "./gradient_optimizer.ts";
import type { Optimizer } from "./optimizer.ts";
import { TfjsOptimizer } from "./tfjs_optimizer.ts";

/** What an optimizer is to update. */
export interface OptimizerParameters {
  /** The parameters by the names under which the optimizer's state is saved, e.g. `module.namedParameters()`. */
  named: Map<string, tf.Variable>;
}

/**
 * Any optimizer, bound to the parameters it updates: one of tfjs's (`tf.train.adam(…)`), one of this library's, or an object of the
 * user's own that is an {@linkcode Optimizer} already, which is returned as it is.
 *
 * @throws TypeError if it is not an optimizer
 * @throws Error if there are no parameters, or it is bound to others already
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const w = tf.variable(tf.scalar(1));
 * const optimizer = asOptimizer(tf.train.adam(1e-3), { named: new Map([["w", w]]) });
 * optimizer.learningRate = 5e-4;
 * optimizer.dispose();
 * ```
 */
export function asOptimizer(optimizer: tf.Optimizer | Optimizer, parameters: OptimizerParameters): Optimizer {
  if (optimizer instanceof GradientOptimizer) return optimizer.bind(parameters.named);
  const candidate = optimizer as Partial<Optimizer & tf.Optimizer> | null | undefined;
  if (typeof candidate?.applyGradients === "function") {
    const adam = adamFromTfjs(optimizer as tf.Optimizer);
    if (adam) return adam.bind(parameters.named);
    return new TfjsOptimizer(optimizer as tf.Optimizer, parameters.named);
  }
  if (typeof candidate?.step === "function" && typeof candidate.zeroGrad === "function") return optimizer as Optimizer;
  throw new TypeError(
    `An optimizer is one of tfjs's, e.g. tf.train.adam(1e-3), or of this library's, e.g. new AdamW({ learningRate: 1e-3 }), but got ${
      optimizer === null ? "null" : typeof optimizer
    }`,
  );
}
