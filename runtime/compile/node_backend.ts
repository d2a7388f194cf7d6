import { tf } from "../tensor/tf.ts";
import type { TensorMetadata } from "../accelerators/tensorflow/op_observer.ts";

/** What the package's backend knows of the values of a tensor. */
interface StoredData {
  /** The number in the binding; -1 until the values are sent there. */
  id: number;
  values: unknown;
  /** How many tensors share them. */
  refCount: number;
}

/** What is used of the backend in `@tensorflow/tfjs-node-gpu` 4.22. */
interface NodeBackend {
  tensorMap: { get(dataId: object): StoredData };
  getInputTensorIds(tensors: tf.Tensor[]): number[];
  createOutputTensor(metadata: TensorMetadata): tf.Tensor;
}

function backend(): NodeBackend {
  return tf.backend() as unknown as NodeBackend;
}

/** The number in the binding of a tensor's values, which are sent there if they were not. */
export function idOf(tensor: tf.Tensor): number {
  const data = backend().tensorMap.get(tensor.dataId);
  return data.values === null ? data.id : backend().getInputTensorIds([tensor])[0];
}

/** True if another tensor has the same values in the same place. */
export function isShared(tensor: tf.Tensor): boolean {
  return backend().tensorMap.get(tensor.dataId).refCount > 1;
}

/** A tensor of values that are in the binding. */
export function tensorOf(metadata: TensorMetadata): tf.Tensor {
  return backend().createOutputTensor(metadata);
}
