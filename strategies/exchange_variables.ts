import { type Exchange, stepRecorder } from "../runtime/tensor/step_recording.ts";
import { noGrad } from "../runtime/tensor/tape.ts";
import { tf } from "../runtime/tensor/tf.ts";
import { assignParts } from "./flat_variables.ts";

/**
 * Hands the values of some float32 variables to `run`, and gives others what comes back, in a step that is recorded as in one that is not: another rank's may not
 * be.
 * @param run may not change the arrays that it gets
 */
export async function exchangeVariables(
  { sent, received }: { sent: readonly tf.Variable[]; received: readonly tf.Variable[] },
  run: Exchange,
): Promise<void> {
  const recorder = stepRecorder();
  if (!recorder) {
    const values = await Promise.all(sent.map((variable) => variable.data<"float32">()));
    return assignParts(received, await run(values as Float32Array<ArrayBuffer>[]));
  }
  const flattened = noGrad(() => sent.map((variable) => variable.reshape<tf.Tensor1D>([variable.size])));
  const results = await recorder.exchange(flattened, run);
  noGrad(() => {
    for (const [i, variable] of received.entries()) tf.tidy(() => variable.assign(results[i].reshape(variable.shape)));
  });
  for (const tensor of [...flattened, ...results]) tensor.dispose();
}
