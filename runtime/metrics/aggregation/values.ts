import { tf } from "../../tensor/tf.ts";

/** A number or tensor as float32. @throws {TypeError} if it is neither */
export function values(value: number | tf.Tensor, owner: string): tf.Tensor {
  if (typeof value === "number") return tf.scalar(value, "float32");
  if (value instanceof tf.Tensor) return value.toFloat();
  throw new TypeError(`${owner} takes a number or a tensor, but got ${typeof value}`);
}
