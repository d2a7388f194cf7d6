import { tf } from "../../tensor/tf.ts";

/** Backends whose tensors lie in the process's own memory: reading one is a copy of four bytes. */
const IN_MEMORY = new Set(["cpu", "wasm"]);

/** The values of tensors with one element each, read without blocking, in one go where a read is dear. */
export async function readScalars(tensors: readonly tf.Tensor[]): Promise<number[]> {
  if (tensors.length === 0) return [];
  if (tensors.length === 1 || IN_MEMORY.has(tf.getBackend())) {
    return (await Promise.all(tensors.map((tensor) => tensor.data()))).map(([value]) => Number(value));
  }
  const stacked = tf.tidy(() => tf.stack(tensors.map((tensor) => tensor.toFloat().reshape([]))));
  try {
    return Array.from(await stacked.data<"float32">());
  } finally {
    stacked.dispose();
  }
}
