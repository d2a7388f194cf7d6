import { tf } from "../tensor/tf.ts";

/** @throws {RangeError} unless both have the same shape */
export function sameShape(owner: string, preds: tf.Tensor, target: tf.Tensor): void {
  for (const [name, tensor] of [["preds", preds], ["target", target]] as const) {
    if (!(tensor instanceof tf.Tensor)) {
      throw new TypeError(`${owner}: \`${name}\` must be a tensor, but got ${typeof tensor}`);
    }
  }
  if (preds.shape.join() === target.shape.join()) return;
  throw new RangeError(
    `${owner}: preds and target must have the same shape, but got [${preds.shape}] and [${target.shape}]`,
  );
}

/** a / b, and 0 where b is 0, as torchmetrics divides. */
export function safeDivide(a: number, b: number): number {
  return b === 0 ? 0 : a / b;
}
