import type { DataArray } from "../runtime/comm/process_group.ts";
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

/** Puts the values of variables of one type, one after the other, into an array of that type. Returns the array. */
export async function readInto<T extends DataArray>(target: T, variables: readonly tf.Variable[]): Promise<T> {
  return join(
    target,
    await Promise.all(variables.map((variable) => variable.data() as Promise<unknown> as Promise<T>)),
  );
}

/** Puts arrays one after the other into another. Returns that. */
export function join<T extends DataArray>(target: T, arrays: readonly T[]): T {
  arrays.reduce((offset, array) => (target.set(array, offset), offset + array.length), 0);
  return target;
}

/** The parts of an array that belong to variables, one after the other: views of it. */
export function partsOf<T extends DataArray>(values: T, variables: readonly tf.Variable[]): T[] {
  let offset = 0;
  return variables.map(({ size }) => values.subarray(offset, offset += size) as T);
}

/** Gives variables of one type what {@linkcode readInto} read of others. */
export function assignFlat(variables: readonly tf.Variable[], values: DataArray): void {
  assignParts(variables, partsOf(values, variables));
}

/** Gives each variable the values of an array of its own. */
export function assignParts(variables: readonly tf.Variable[], parts: readonly DataArray[]): void {
  for (const [i, variable] of variables.entries()) {
    // A copy, because some backends read the array only when the tensor is first used.
    const value = tf.tensor(parts[i].slice() as Float32Array, variable.shape, variable.dtype);
    variable.assign(value);
    value.dispose();
  }
}
