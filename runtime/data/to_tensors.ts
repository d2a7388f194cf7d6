import { type HostTensor, isHostTensor } from "../tensor/host_tensor.ts";
import { tf } from "../tensor/tf.ts";

/**
 * Makes tensors of the HostTensors in a batch; whatever else it holds stays. TensorFlow.js has no wider types than float32 and int32:
 * float64 is rounded, smaller integers and int64 become int32.
 *
 * @throws {RangeError} if an int64 does not fit in int32
 */
export function toTensors(batch: unknown): unknown {
  if (isHostTensor(batch)) return toTensor(batch);
  if (Array.isArray(batch)) return batch.map(toTensors);
  if (typeof batch === "object" && batch !== null && Object.getPrototypeOf(batch) === Object.prototype) {
    return Object.fromEntries(Object.entries(batch).map(([key, value]) => [key, toTensors(value)]));
  }
  return batch;
}

function toTensor({ dtype, shape, data }: HostTensor): tf.Tensor {
  switch (dtype) {
    case "float32":
      return tf.tensor(data as Float32Array, [...shape], "float32");
    case "int32":
      return tf.tensor(data as Int32Array, [...shape], "int32");
    case "bool":
      return tf.tensor(data as Uint8Array, [...shape], "bool");
    case "float64":
      return tf.tensor(Float32Array.from(data as Float64Array), [...shape], "float32");
    case "int64":
      return tf.tensor(Int32Array.from(data as BigInt64Array, toInt32), [...shape], "int32");
    case "float16":
    case "bfloat16":
      throw new TypeError(
        `a loader hands out float32, not ${dtype}: convert in the dataset, or let the precision plugin cast`,
      );
    default:
      return tf.tensor(Int32Array.from(data as Uint8Array), [...shape], "int32");
  }
}

function toInt32(value: bigint): number {
  if (BigInt.asIntN(32, value) !== value) {
    throw new RangeError(`${value}n does not fit in int32, the widest integer of TensorFlow.js`);
  }
  return Number(value);
}
