import { tf } from "../tensor/tf.ts";
import { Adam } from "./adam.ts";

/** What `tf.train.adam` was given, under the names in which it keeps it. */
interface TfjsAdam {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
}

/**
 * The same optimizer as one of this library's, if `optimizer` is tfjs's Adam and has taken no step yet: the same update, in one pass over the
 * numbers where tfjs makes fourteen operations of it for each parameter. The given one is used up.
 */
export function adamFromTfjs(optimizer: tf.Optimizer): Adam | undefined {
  // A subclass may compute something else; one that has stepped holds moments of its own.
  if (Object.getPrototypeOf(optimizer) !== tf.AdamOptimizer.prototype || optimizer.iterations > 0) return undefined;
  const { learningRate, beta1, beta2, epsilon } = optimizer as unknown as TfjsAdam;
  // Frees the powers of the betas that it keeps as variables: it takes no step of its own any more.
  optimizer.dispose();
  return new Adam({ learningRate, betas: [beta1, beta2], eps: epsilon });
}
