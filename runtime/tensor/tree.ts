import { tf } from "./tf.ts";

/**
 * A copy of nested arrays and plain records, such as a batch, in which every tensor is replaced by what `f` makes of it. Everything
 * else is kept as it is.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const batch = { image: tf.ones([2, 2]), labels: [tf.ones([2])], index: 3 };
 * const doubled = mapTensors(batch, (tensor) => tensor.mul(2));
 * console.assert(doubled.index === 3 && doubled.labels[0].dataSync()[0] === 2);
 * ```
 */
export function mapTensors<T>(tree: T, f: (tensor: tf.Tensor) => unknown): T {
  if (tree instanceof tf.Tensor) return f(tree) as T;
  if (Array.isArray(tree)) return tree.map((item) => mapTensors(item, f)) as T;
  if (!isRecord(tree)) return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, mapTensors(value, f)])) as T;
}

/** The tensors in nested arrays and plain records, in order. */
export function tensorsIn(tree: unknown): tf.Tensor[] {
  if (tree instanceof tf.Tensor) return [tree];
  if (Array.isArray(tree)) return tree.flatMap(tensorsIn);
  return isRecord(tree) ? Object.values(tree).flatMap(tensorsIn) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
