import assert from "node:assert/strict";
import type { CompileMode } from "../../runtime/compile/compile_mode.ts";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import { MNIST } from "../../runtime/data/mnist.ts";
import { Fabric } from "../../runtime/fabric/fabric.ts";
import { seed_everything, unseedRandom } from "../../runtime/seed/seed_everything.ts";
import { zeroGradients } from "../../runtime/tensor/gradients.ts";
import { withScope } from "../../runtime/tensor/scope.ts";
import { tf } from "../../runtime/tensor/tf.ts";

/** What a case trains: made anew for every run, from the same seed. */
export interface TrainingCase {
  /** Builds models and optimizers, and returns the step and what is compared. */
  build(fabric: Fabric): Promise<Training>;
  /** Samples in batch `i`. Default: 32. */
  batchSize?(i: number): number;
}

export interface Training {
  /** Gives the loss, alone or first in an array. */
  step(x: tf.Tensor, y: tf.Tensor, ...rest: never[]): Promise<tf.Tensor | tf.Tensor[]>;
  /** What else the step is called with. */
  rest?(i: number): unknown[];
  /** Runs after each step, outside of it: a scheduler. */
  after?(i: number): void;
  variables: () => tf.Variable[];
  dispose(): void;
}

/** What a run came to. */
export interface Outcome {
  losses: number[];
  weights: Float32Array[];
  messages: string[];
  /** Tensors twenty steps before the end, and at the end. */
  tensors: [number, number];
}

const images = await MNIST.load({ train: true });

/** Images of shape [n, 28, 28, 1] and class ids. */
export function batch(i: number, size: number): [tf.Tensor, tf.Tensor] {
  const pixels = new Float32Array(size * 784), labels = new Int32Array(size);
  for (let k = 0; k < size; k++) {
    const [image, label] = images.get((i * 37 + k) % 2000);
    pixels.set(image.data as Float32Array, k * 784);
    labels[k] = Number(label.data[0]);
  }
  return [tf.tensor(pixels, [size, 28, 28, 1]), tf.tensor1d(labels, "int32")];
}

/** Trains a case from the same seed each time, and leaves nothing behind. */
export async function train(
  { build, batchSize = () => 32 }: TrainingCase,
  { compile, steps = 50, seed = 1 }: { compile: CompileMode; steps?: number; seed?: number },
): Promise<Outcome> {
  const messages: string[] = [];
  forgetWarnings();
  using _ = routeMessages((line) => messages.push(line));
  await using fabric = new Fabric({ accelerator: "cpu" });
  await fabric.launch();
  seed_everything(seed, { verbose: false });
  const before = tf.memory().numTensors;
  const training = await withScope(() => build(fabric));
  const step = fabric.compile(training.step as (...args: unknown[]) => Promise<tf.Tensor | tf.Tensor[]>, {
    compile,
    name: "step",
  });
  const losses: number[] = [], tensors: number[] = [];
  for (let i = 0; i < steps; i++) {
    const [x, y] = batch(i, batchSize(i));
    await withScope(async () => {
      const returned = await step(x, y, ...(training.rest?.(i) ?? []));
      losses.push((Array.isArray(returned) ? returned[0] : returned).dataSync()[0]);
    });
    x.dispose();
    y.dispose();
    training.after?.(i);
    tensors.push(tf.memory().numTensors);
  }
  const variables = training.variables();
  const weights = variables.map((variable) => variable.dataSync<"float32">().slice());
  zeroGradients(variables);
  training.dispose();
  assert.equal(tf.memory().numTensors, before, "tensors are left behind");
  unseedRandom();
  return { losses, weights, messages, tensors: [tensors.at(-21)!, tensors.at(-1)!] };
}

/** Compares with a relative tolerance; values near 0 with that tolerance of the largest one. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  assert.equal(actual.length, expected.length, what);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]));
  for (let i = 0; i < expected.length; i++) {
    const allowed = tolerance * Math.max(Math.abs(expected[i]), largest);
    if (!(Math.abs(actual[i] - expected[i]) <= allowed)) {
      assert.fail(`${what}: element ${i} is ${actual[i]}, expected ${expected[i]} within ${tolerance}`);
    }
  }
}
