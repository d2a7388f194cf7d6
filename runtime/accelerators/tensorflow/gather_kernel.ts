import { stepRecorder } from "../../tensor/step_recording.ts";
import { tf } from "../../tensor/tf.ts";
import type { TensorflowBinding } from "./binding.ts";
import { AttributeType, DataType } from "./data_types.ts";

/** What is used of the package's backend. */
interface NodeBackend {
  getDTypeInteger(dtype: tf.DataType): number;
  executeSingleOutput(name: string, attributes: object[], inputs: tf.TensorInfo[]): tf.TensorInfo;
}

/**
 * Replaces the package's kernel for `gather`, which reads the indices back to see whether they are in bounds. On the processor TensorFlow
 * looks itself; and a step that reads cannot be recorded.
 */
export function installGatherKernel(binding: TensorflowBinding): void {
  const before = tf.getKernel("GatherV2", "tensorflow");
  tf.unregisterKernel("GatherV2", "tensorflow");
  tf.registerKernel({
    kernelName: "GatherV2",
    backendName: "tensorflow",
    kernelFunc: (given) => {
      // On a GPU TensorFlow gives zeros for what is out of bounds.
      if (binding.context.onGpu && !stepRecorder()) return before.kernelFunc(given);
      const { x, indices } = given.inputs as { x: tf.TensorInfo; indices: tf.TensorInfo };
      const { axis, batchDims } = given.attrs as unknown as { axis: number; batchDims: number };
      const backend = given.backend as unknown as NodeBackend;
      tf.backend_util.segment_util.collectGatherOpShapeInfo(x as tf.Tensor, indices as tf.Tensor, axis, batchDims);
      const type = (name: string, value: number) => ({ name, type: AttributeType.TYPE, value });
      const attributes = [
        { name: "batch_dims", type: AttributeType.INT, value: batchDims },
        type("Tparams", backend.getDTypeInteger(x.dtype)),
        type("Tindices", backend.getDTypeInteger(indices.dtype)),
        type("Taxis", DataType.INT32),
      ];
      const axisTensor = tf.scalar(axis, "int32");
      try {
        return backend.executeSingleOutput("GatherV2", attributes, [x, indices, axisTensor]);
      } finally {
        axisTensor.dispose();
      }
    },
  });
}
