import { tf } from "../../tensor/tf.ts";

/** [sum, count] of a tensor's values. */
export function errorSums(errors: tf.Tensor): tf.Tensor {
  return tf.stack([errors.sum(), tf.scalar(errors.size, "float32")]);
}
