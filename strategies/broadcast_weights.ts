import type { NumberArray, ProcessGroup } from "../runtime/comm/process_group.ts";
import { tf } from "../runtime/tensor/tf.ts";

/** How much is sent at a time, so that a large model needs no second copy of itself. */
const CHUNK_BYTES = 64 * 2 ** 20;

/** Gives every rank the root's values of all variables, in place. The variables must be the same on all ranks. */
export async function broadcastWeights(
  group: ProcessGroup,
  variables: readonly tf.Variable[],
  options: { root?: number } = {},
): Promise<void> {
  const root = options.root ?? 0;
  for (const dtype of new Set(variables.map((v) => v.dtype))) {
    for (const chunk of chunks(variables.filter((v) => v.dtype === dtype))) {
      const buffer = bufferFor(dtype, chunk.reduce((sum, v) => sum + v.size, 0));
      if (group.rank === root) {
        const values = await Promise.all(chunk.map((v) => v.data()));
        values.reduce((offset, array) => (buffer.set(array as NumberArray, offset), offset + array.length), 0);
      }
      await group.broadcast(buffer, { root, purpose: "fabric.setup" });
      if (group.rank === root) continue;
      chunk.reduce((offset, v) => {
        // A copy, because some backends read the array only when the tensor is first used.
        const value = tf.tensor(buffer.slice(offset, offset + v.size), v.shape, v.dtype);
        v.assign(value);
        value.dispose();
        return offset + v.size;
      }, 0);
    }
  }
}

function bufferFor(
  dtype: tf.DataType,
  length: number,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> {
  if (dtype === "float32") return new Float32Array(length);
  if (dtype === "int32") return new Int32Array(length);
  if (dtype === "bool") return new Uint8Array(length);
  throw new TypeError(`variables of type ${dtype} cannot be sent between ranks: use float32, int32 or bool`);
}

function* chunks(variables: readonly tf.Variable[]): Generator<tf.Variable[]> {
  let chunk: tf.Variable[] = [], bytes = 0;
  for (const variable of variables) {
    if (chunk.length > 0 && bytes + variable.size * 4 > CHUNK_BYTES) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push(variable);
    bytes += variable.size * 4;
  }
  if (chunk.length > 0) yield chunk;
}
