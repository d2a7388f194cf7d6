import { noGrad } from "../runtime/tensor/tape.ts";
import { tf } from "../runtime/tensor/tf.ts";

/** How much travels at a time, so that neither parameters nor state need a second copy of themselves. */
const CHUNK_BYTES = 32 * 2 ** 20;

/** How many numbers variables have together. */
export function lengthOf(variables: readonly tf.Variable[]): number {
  return variables.reduce((sum, { size }) => sum + size, 0);
}

/** Items one after the other, in lists of 32 MiB or of a single item. */
export function chunks<T>(items: readonly T[], bytesOf: (item: T) => number): T[][] {
  const lists: T[][] = [];
  let bytes = Infinity;
  for (const item of items) {
    const more = bytesOf(item);
    if (bytes + more > CHUNK_BYTES) {
      lists.push([]);
      bytes = 0;
    }
    lists.at(-1)!.push(item);
    bytes += more;
  }
  return lists;
}

/** The values of float32 variables, one after the other. */
export async function readFlat(variables: readonly tf.Variable[]): Promise<Float32Array<ArrayBuffer>> {
  const all = new Float32Array(lengthOf(variables));
  const values = await Promise.all(variables.map((variable) => variable.data<"float32">()));
  values.reduce((offset, array) => (all.set(array, offset), offset + array.length), 0);
  return all;
}

/** Gives float32 variables what {@linkcode readFlat} read of others. */
export function assignFlat(variables: readonly tf.Variable[], values: Float32Array): void {
  variables.reduce((offset, variable) => {
    // A copy, because some backends read the array only when the tensor is first used.
    const value = tf.tensor(values.slice(offset, offset + variable.size), variable.shape, "float32");
    variable.assign(value);
    value.dispose();
    return offset + variable.size;
  }, 0);
}

/** As {@linkcode readFlat}, as a tensor. */
export function flat(variables: readonly tf.Variable[]): tf.Tensor1D {
  return noGrad(() =>
    tf.tidy(() =>
      tf.concat([...variables.map((variable) => variable.reshape<tf.Tensor1D>([variable.size])), tf.zeros([0])])
    )
  );
}

/** As {@linkcode assignFlat}, from a tensor. */
export function assignParts(variables: readonly tf.Variable[], values: tf.Tensor1D): void {
  noGrad(() =>
    tf.tidy(() =>
      variables.reduce((offset, variable) => {
        variable.assign(tf.reshape(tf.slice(values, [offset], [variable.size]), variable.shape));
        return offset + variable.size;
      }, 0)
    )
  );
}
