import { tf } from "../../tensor/tf.ts";
import { safeDivide } from "../checks.ts";
import { Metric, type Totals } from "../metric.ts";
import { mark, rejectMisfits } from "./inputs.ts";
import {
  type Average,
  type Averaged,
  type AveragedOptions,
  checkAverage,
  type ResolvedTask,
  resolveTask,
} from "./task.ts";

/** How often each thing happened for a class or label. */
export interface Counts {
  tp: number;
  fp: number;
  tn: number;
  fn: number;
}

/** What accuracy, precision, recall and F-beta have in common: four counts for each class, exact integers. */
export abstract class StatScores<A extends Average> extends Metric<Averaged<A>> {
  protected readonly task: ResolvedTask;
  protected readonly average: Average;
  readonly #owner: string;

  constructor(owner: string, options: AveragedOptions<A>, extra: readonly string[] = []) {
    const task = resolveTask(owner, options, ["average", "topK", ...extra]);
    super({ counts: { reduce: "sum", shape: [4, task.size] }, misfits: { reduce: "sum" } });
    this.#owner = owner;
    this.task = task;
    this.average = checkAverage<Average>(owner, options.average ?? "micro", ["micro", "macro", "weighted", "none"]);
  }

  /**
   * @param preds "binary": probabilities, logits or int32 0 and 1, of the target's shape. "multiclass": scores [samples, …, classes] or int32
   * classes [samples, …]. "multilabel": like binary, [samples, …, labels]
   * @param target int32: 0 and 1, or classes
   * @throws {RangeError} if the shapes do not fit. Values that name no class are an error of `compute`, as checking them would wait for the device
   */
  update(preds: tf.Tensor, target: tf.Tensor): void {
    this.add(() => {
      const { predicted, actual, kept, misfits } = mark(this.#owner, preds, target, this.task);
      const count = (x: tf.Tensor) => x.mul(kept).sum(0);
      const size = this.task.size;
      const total = kept.sum(0);
      return {
        counts: tf.stack([
          count(predicted.mul(actual)),
          count(predicted),
          count(actual),
          total.shape[0] === size ? total : total.tile([size]),
        ]).toInt(),
        misfits,
      };
    });
  }

  /** The metric of one class's counts. */
  protected abstract score(counts: Counts): number;

  /** True if a class counts in the macro average. */
  protected counted({ tp, fp, fn }: Counts): boolean {
    // As torchmetrics has it; F-beta does not follow.
    return this.task.topK > 1 ? tp + fn > 0 : tp + fp + fn > 0;
  }

  override fromTotals({ counts, misfits: [misfits] }: Totals): Averaged<A> {
    rejectMisfits(this.#owner, misfits, this.task);
    const { size, task } = this.task;
    const classes = Array.from({ length: size }, (_, c): Counts => {
      const [tp, predicted, actual, total] = [0, 1, 2, 3].map((row) => counts[row * size + c]);
      return { tp, fp: predicted - tp, fn: actual - tp, tn: total - predicted - actual + tp };
    });
    return this.#reduce(classes, task) as Averaged<A>;
  }

  #reduce(classes: Counts[], task: string): number | number[] {
    if (task === "binary") return this.score(classes[0]);
    if (this.average === "micro") {
      const sum = (key: keyof Counts) => classes.reduce((total, counts) => total + counts[key], 0);
      return this.score({ tp: sum("tp"), fp: sum("fp"), tn: sum("tn"), fn: sum("fn") });
    }
    const scores = classes.map((counts) => this.score(counts));
    if (this.average === "none") return scores;
    const weights = classes.map((counts) => {
      if (this.average === "weighted") return counts.tp + counts.fn;
      return task === "multilabel" || this.counted(counts) ? 1 : 0;
    });
    const whole = weights.reduce((a, b) => a + b, 0);
    return scores.reduce((sum, score, c) => sum + safeDivide(score * weights[c], whole), 0);
  }
}
