import type { DeviceRandom } from "../../tensor/random_ops.ts";
import { stepRecorder } from "../../tensor/step_recording.ts";
import { isRecording } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";
import type { TensorflowBinding } from "./binding.ts";
import { AttributeType, DataType } from "./data_types.ts";
import type { TensorMetadata } from "./op_observer.ts";

/** What is used of the package's backend. */
interface NodeBackend {
  getInputTensorIds(tensors: tf.Tensor[]): number[];
  createOutputTensor(metadata: TensorMetadata): tf.Tensor;
}

/** TensorFlow's number of the Philox generator (J. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011). */
const PHILOX = 1;
const type = (name: string, value: number) => ({ name, type: AttributeType.TYPE, value });

/**
 * Random numbers drawn by TensorFlow, seeded from `Math.random` at each call, so `seed_everything` rules. They are the same op by op, in a
 * graph and by XLA. Used while a step trains; outside of it tfjs draws, so that weights begin alike on every accelerator.
 */
export function deviceRandom(binding: TensorflowBinding): DeviceRandom {
  const backend = () => tf.backend() as unknown as NodeBackend;

  function uniform(shape: number[]): tf.Tensor {
    const read = () => Int32Array.of(Math.random() * 2 ** 32 | 0, Math.random() * 2 ** 32 | 0);
    const seed = stepRecorder()?.integers(read) ?? tf.tensor1d(read(), "int32");
    const [seedId] = backend().getInputTensorIds([seed]);
    const keys = binding.executeOp("StatelessRandomGetKeyCounter", [type("Tseed", DataType.INT32)], [seedId], 2);
    const used = [
      binding.createTensor([shape.length], DataType.INT32, Int32Array.from(shape)),
      ...keys.map(({ id }) => id),
      binding.createTensor([], DataType.INT32, Int32Array.of(PHILOX)),
    ];
    const attributes = [type("dtype", DataType.FLOAT), type("Tshape", DataType.INT32)];
    const [drawn] = binding.executeOp("StatelessRandomUniformV2", attributes, used, 1);
    for (const id of used) binding.deleteTensor(id);
    seed.dispose();
    return backend().createOutputTensor(drawn);
  }

  /** By the inverse of the error function, of numbers between −1 and 1. */
  function inverseError(x: tf.Tensor): tf.Tensor {
    const [made] = binding.executeOp("Erfinv", [type("T", DataType.FLOAT)], backend().getInputTensorIds([x]), 1);
    return backend().createOutputTensor(made);
  }

  return {
    inUse: () => tf.backend() !== null && tf.getBackend() === "tensorflow" && (isRecording() || !!stepRecorder()),
    uniform,
    // G. Box and M. Muller, "A Note on the Generation of Random Normal Deviates", 1958: of the same ops whoever runs them, where
    // TensorFlow's own normal numbers by XLA are others than without.
    normal: (shape) =>
      tf.tidy(() => {
        const radius = tf.sqrt(tf.mul(tf.log(tf.sub(1, uniform(shape))), -2));
        return tf.mul(radius, tf.cos(tf.mul(uniform(shape), 2 * Math.PI)));
      }),
    // The inverse of the distribution's function, on the part of it between −2 and 2 deviations.
    truncatedNormal: (shape) =>
      tf.tidy(() => {
        const bound = 0.9544997361036416;
        return tf.mul(inverseError(tf.sub(tf.mul(uniform(shape), 2 * bound), bound)), Math.SQRT2);
      }),
  };
}
