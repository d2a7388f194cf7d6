import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import type { tf } from "../runtime/tensor/tf.ts";
import { assignFlat, chunks, lengthOf, readInto } from "./flat_variables.ts";

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
    const ofType = variables.filter((v) => v.dtype === dtype);
    for (const chunk of chunks(ofType, ({ size }) => size * 4, CHUNK_BYTES)) {
      const buffer = bufferFor(dtype, lengthOf(chunk));
      if (group.rank === root) await readInto(buffer, chunk);
      await group.broadcast(buffer, { root, purpose: "fabric.setup" });
      if (group.rank !== root) assignFlat(chunk, buffer);
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
