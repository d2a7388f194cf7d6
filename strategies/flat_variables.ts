import type { DataArray } from "../runtime/comm/process_group.ts";
import { noGrad } from "../runtime/tensor/tape.ts";
import { tf } from "../runtime/tensor/tf.ts";

/** How much travels at a time, so that neither parameters nor state need a second copy of themselves. */
const CHUNK_BYTES = 32 * 2 ** 20;

/** How many numbers variables have together. */
export function lengthOf(variables: readonly tf.Variable[]): number {
  return variables.reduce((sum, { size }) => sum + size, 0);
}

/** Items one after the other, in lists of `most` bytes or of a single item. @param most default: 32 MiB */
export function chunks<T>(items: readonly T[], bytesOf: (item: T) => number, most = CHUNK_BYTES): T[][] {
  const lists: T[][] = [];
  let bytes = Infinity;
  for (const item of items) {
    const more = bytesOf(item);
    if (bytes + more > most) {
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
  return await readInto(new Float32Array(lengthOf(variables)), variables);
}

/** Puts the values of variables of one type, one after the other, into an array of that type. Returns the array. */
export async function readInto<T extends DataArray>(target: T, variables: readonly tf.Variable[]): Promise<T> {
  const values = await Promise.all(variables.map((variable) => variable.data()));
  values.reduce((offset, array) => (target.set(array as T, offset), offset + array.length), 0);
  return target;
}

/** Gives variables of one type what {@linkcode readInto} read of others. */
export function assignFlat(variables: readonly tf.Variable[], values: DataArray): void {
  variables.reduce((offset, { size, shape, dtype }, i) => {
    // A copy, because some backends read the array only when the tensor is first used.
    const value = tf.tensor(values.slice(offset, offset + size) as Float32Array, shape, dtype);
    variables[i].assign(value);
    value.dispose();
    return offset + size;
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
