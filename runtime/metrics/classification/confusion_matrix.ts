import type { tf } from "../../tensor/tf.ts";
import { safeDivide } from "../checks.ts";
import { Metric, type Totals } from "../metric.ts";
import { mark, rejectMisfits } from "./inputs.ts";
import { type ClassificationOptions, type ResolvedTask, resolveTask } from "./task.ts";

/** Options of {@linkcode ConfusionMatrix}. */
export interface ConfusionMatrixOptions extends ClassificationOptions {
  /** Divide by the row's sum ("true"), the column's ("pred") or that of all ("all"). Default: counts. */
  normalize?: "true" | "pred" | "all";
}

/**
 * How often class i (row) was predicted as class j (column). For "binary" a matrix of two; for "multilabel" one of two for each label,
 * stacked in rows: label l's are rows 2 l and 2 l + 1.
 */
export class ConfusionMatrix extends Metric<number[][]> {
  readonly #task: ResolvedTask;
  readonly #normalize: ConfusionMatrixOptions["normalize"];

  constructor(options: ConfusionMatrixOptions) {
    const task = resolveTask("ConfusionMatrix", options, ["normalize"]);
    const { normalize } = options;
    if (normalize !== undefined && !["true", "pred", "all"].includes(normalize)) {
      throw new TypeError(
        `ConfusionMatrix: \`normalize\` must be "true", "pred" or "all", but got ${JSON.stringify(normalize)}`,
      );
    }
    const shape = task.task === "multiclass" ? [task.size, task.size] : [4, task.size];
    super({ counts: { reduce: "sum", shape }, misfits: { reduce: "sum" } });
    this.#task = task;
    this.#normalize = normalize;
  }

  /** As {@linkcode Accuracy}'s. */
  update(preds: tf.Tensor, target: tf.Tensor): void {
    this.add(() => {
      const { predicted, actual, kept, misfits } = mark("ConfusionMatrix", preds, target, this.#task);
      const truth = actual.mul(kept) as tf.Tensor2D;
      if (this.#task.task === "multiclass") return { counts: truth.matMul(predicted, true).toInt(), misfits };
      const [no, notPredicted] = [kept.sub(truth), predicted.neg().add(1)];
      const counts = [no.mul(notPredicted), no.mul(predicted), truth.mul(notPredicted), truth.mul(predicted)];
      return { counts: counts[0].sum(0).concat(counts.slice(1).map((c) => c.sum(0)), 0).toInt(), misfits };
    });
  }

  override fromTotals({ counts, misfits: [misfits] }: Totals): number[][] {
    rejectMisfits("ConfusionMatrix", misfits, this.#task);
    const { task, size } = this.#task;
    if (task === "multiclass") {
      return this.#normalized(Array.from({ length: size }, (_, i) => [...counts.subarray(i * size, (i + 1) * size)]));
    }
    return Array.from(
      { length: size },
      (_, l) => this.#normalized([[counts[l], counts[size + l]], [counts[2 * size + l], counts[3 * size + l]]]),
    ).flat();
  }

  #normalized(matrix: number[][]): number[][] {
    const sum = (row: number[]) => row.reduce((a, b) => a + b, 0);
    const whole = sum(matrix.map(sum));
    const columns = matrix[0].map((_, j) => sum(matrix.map((row) => row[j])));
    const divisor = (row: number[], j: number) =>
      this.#normalize === "true" ? sum(row) : this.#normalize === "pred" ? columns[j] : whole;
    return this.#normalize ? matrix.map((row) => row.map((n, j) => safeDivide(n, divisor(row, j)))) : matrix;
  }
}
