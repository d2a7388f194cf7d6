import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LightningModule } from "../../../runtime/trainer/lightning_module.ts";
import type { OptimizerConfiguration } from "../../../runtime/trainer/optimization/optimizer_config.ts";
import { Trainer } from "../../../runtime/trainer/trainer.ts";
import type { TrainerOptions } from "../../../runtime/trainer/trainer_options.ts";
import { routeMessages } from "../../../runtime/core/messages.ts";
import { tf } from "../../../runtime/tensor/tf.ts";

type Batch = number[][][];

/** Batches of one sample each: x and 3x. */
export function lineBatches(count: number): AsyncIterable<Batch> & { length: number } {
  return {
    length: count,
    async *[Symbol.asyncIterator]() {
      for (let i = 0; i < count; i++) yield [[[i / count]], [[3 * i / count]]];
    },
  };
}

/** y = w·x by SGD, with a validation metric that the test chooses. */
export class Line extends LightningModule {
  weight = tf.tidy(() => tf.variable(tf.tensor2d([[0.5]])));
  /** `val` of each validation of the fit; the last one goes on. */
  scores: number[] = [];
  validations = 0;
  learningRate = 0.1;

  override forward(x: tf.Tensor) {
    return x.matMul(this.weight as tf.Tensor2D);
  }
  override onBeforeBatchTransfer(batch: unknown) {
    return (batch as number[][][]).map((rows) => tf.tensor2d(rows));
  }
  override trainingStep([x, y]: [tf.Tensor, tf.Tensor]) {
    const loss = this.forward(x).sub(y).square().mean();
    this.log("train_loss", loss, { progBar: true, onStep: true, onEpoch: true });
    return loss;
  }
  override validationStep([x, y]: [tf.Tensor, tf.Tensor]) {
    this.log("val_loss", this.forward(x).sub(y).square().mean(), { progBar: true });
    const { scores } = this;
    if (scores.length > 0) this.log("val", scores[Math.min(this.validations, scores.length - 1)]);
  }
  override onValidationEnd() {
    if (!this.trainer.sanityChecking) this.validations++;
  }
  override configureOptimizers(): OptimizerConfiguration {
    return tf.train.sgd(this.learningRate);
  }
}

/** A Trainer on wasm without anything that a test does not ask for. */
export function quietTrainer(options: TrainerOptions = {}): Trainer {
  return new Trainer({
    accelerator: "wasm",
    logger: false,
    enableProgressBar: false,
    enableModelSummary: false,
    numSanityValSteps: 0,
    ...options,
  });
}

/** Collects what the runtime says. */
export class Messages implements Disposable {
  readonly lines: string[] = [];
  readonly #route = routeMessages((line) => this.lines.push(line));
  get text(): string {
    return this.lines.join("\n");
  }
  [Symbol.dispose](): void {
    this.#route[Symbol.dispose]();
  }
}

/** A folder that is gone at the end of the test. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "weft-callbacks-"));
  /** Files in it, sorted, by their paths below it. */
  files(): string[] {
    const found: string[] = [];
    const visit = (folder: string, prefix: string) => {
      for (const entry of Deno.readDirSync(folder)) {
        if (entry.isDirectory) visit(join(folder, entry.name), `${prefix}${entry.name}/`);
        else found.push(prefix + entry.name);
      }
    };
    visit(this.path, "");
    return found.sort();
  }
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
