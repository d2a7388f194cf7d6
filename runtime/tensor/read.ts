import { type HostArray, type HostDtype, type HostTensor, isHostTensor } from "./host_tensor.ts";
import type { StateLeaf, StateTree } from "./state.ts";
import { tf } from "./tf.ts";

/** A {@linkcode StateTree} whose tensors have been read into the process's memory. */
export type HostTree = Exclude<StateLeaf, tf.Tensor> | HostTree[] | { [key: string]: HostTree | undefined };

/** The values of a tensor, in memory of their own. @throws TypeError for string and complex tensors */
export async function toHost(tensor: tf.Tensor): Promise<HostTensor> {
  const { dtype } = tensor;
  if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool") {
    throw new TypeError(
      `A tensor of dtype ${dtype} cannot be read into a HostTensor: it must be float32, int32 or bool`,
    );
  }
  const shape = [...tensor.shape];
  const values = await tensor.data();
  // The cpu backend hands out the very array it computes on.
  const data = tf.getBackend() === "cpu" ? values.slice() : values;
  return { dtype, shape, data: data as HostArray };
}

/**
 * A copy of a state tree with all tensors read. The reads are begun at once, so the copy is of this moment even if training goes on
 * while it is awaited.
 */
export async function snapshot(tree: StateTree): Promise<HostTree> {
  if (tree instanceof tf.Tensor) return await toHost(tree);
  if (Array.isArray(tree)) return await Promise.all(tree.map(snapshot));
  if (typeof tree !== "object" || tree === null || isHostTensor(tree)) return tree as HostTree;
  const entries = Object.entries(tree).filter(([, value]) => value !== undefined);
  const values = await Promise.all(entries.map(([, value]) => snapshot(value as StateTree)));
  return Object.fromEntries(entries.map(([key], index) => [key, values[index]]));
}

/** Options of {@linkcode fromHost}. */
export interface FromHostOptions {
  /** Copy the values. Without it the caller must leave the array alone while the tensor lives. Default: true. */
  copy?: boolean;
}

/**
 * A tensor with these values: float32 for all floating types, bool for bool, int32 for the others. The caller's to dispose.
 * @throws RangeError if an int64 does not fit into int32, or the number of values is not what the shape says
 */
export function fromHost(host: HostTensor, options: FromHostOptions = {}): tf.Tensor {
  const { dtype, shape, data } = host;
  const size = shape.reduce((product, n) => product * n, 1);
  if (data.length !== size) {
    throw new RangeError(`A tensor of shape [${shape}] has ${size} values, but got ${data.length}`);
  }
  const target = TENSOR_DTYPE[dtype];
  if (!target) {
    throw new TypeError(`Unknown dtype "${dtype}" of a host tensor; known are ${Object.keys(TENSOR_DTYPE).join(", ")}`);
  }
  return tf.tensor(valuesFor(dtype, data, options.copy ?? true), [...shape], target);
}

const TENSOR_DTYPE: Record<HostDtype, "float32" | "int32" | "bool"> = {
  float64: "float32",
  float32: "float32",
  float16: "float32",
  bfloat16: "float32",
  int64: "int32",
  int32: "int32",
  int16: "int32",
  int8: "int32",
  uint8: "int32",
  uint16: "int32",
  bool: "bool",
};

function valuesFor(dtype: HostDtype, data: HostArray, copy: boolean): Float32Array | Int32Array | Uint8Array {
  switch (dtype) {
    case "float32":
    case "int32":
    case "bool":
      return (copy ? data.slice() : data) as Float32Array | Int32Array | Uint8Array;
    case "float64":
      return Float32Array.from(data as Float64Array);
    case "bfloat16": {
      const bits = new Uint32Array(data.length);
      for (let i = 0; i < bits.length; i++) bits[i] = (data as Uint16Array)[i] << 16;
      return new Float32Array(bits.buffer);
    }
    case "float16": {
      const halves = data as Uint16Array;
      const source = new Uint16Array(halves).buffer;
      return Float32Array.from(new Float16Array(source));
    }
    case "int64":
      return Int32Array.from(data as BigInt64Array as unknown as ArrayLike<bigint>, (value: bigint) => {
        if (BigInt.asIntN(32, value) !== value) {
          throw new RangeError(`The int64 ${value} does not fit into an int32 tensor`);
        }
        return Number(value);
      });
    default:
      return Int32Array.from(data as Int8Array);
  }
}
