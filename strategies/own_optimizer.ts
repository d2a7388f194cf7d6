import { GradientOptimizer } from "../runtime/optim/gradient_optimizer.ts";
import type { Optimizer } from "../runtime/optim/optimizer.ts";

/**
 * An optimizer of this library, which makes its state parameter by parameter.
 * @param what cannot be done with the state of another, for people
 * @throws Error for one of tfjs's that does not become one of ours
 */
export function ownOptimizer(optimizer: Optimizer, what: string): GradientOptimizer {
  if (optimizer instanceof GradientOptimizer) return optimizer;
  throw new Error(
    `${what} the state of ${optimizer.name}, which makes it for all parameters at once: use one of this library's optimizers ` +
      "(`new Adam()`, `new AdamW()`, `new SGD()`; `tf.train.adam()` becomes one of them), or another strategy",
  );
}
