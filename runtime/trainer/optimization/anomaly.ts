import type { LightningModule } from "../lightning_module.ts";
import { gradientOf } from "../../tensor/gradients.ts";
import { tf } from "../../tensor/tf.ts";

/** Where in a training something was looked at. */
interface Place {
  epoch: number;
  batchIdx: number;
}

/** @throws Error if the loss is not finite */
export async function checkLoss(loss: tf.Tensor, { epoch, batchIdx }: Place): Promise<void> {
  const [value] = await loss.data();
  if (Number.isFinite(value)) return;
  throw new Error(
    `The loss is ${value} at epoch ${epoch}, batch ${batchIdx}. Lower the learning rate, clip the gradients (\`gradientClipVal\`), or look for ` +
      "logarithms and divisions of 0 in `trainingStep`.",
  );
}

/** @throws Error naming the parameters whose gradients are not finite */
export async function checkGradients(module: LightningModule, { epoch, batchIdx }: Place): Promise<void> {
  const names: string[] = [];
  for (const [name, variable] of module.namedParameters()) {
    const gradient = gradientOf(variable);
    if (!gradient) continue;
    const finite = tf.tidy(() => gradient.isFinite().all());
    if (!(await finite.data())[0]) names.push(name);
    finite.dispose();
  }
  if (names.length === 0) return;
  throw new Error(
    `The gradients of ${names.join(", ")} are not finite at epoch ${epoch}, batch ${batchIdx}, though the loss is. ` +
      "Look for operations in `trainingStep` whose derivative is infinite, such as the square root of 0.",
  );
}
