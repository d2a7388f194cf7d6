import { tf } from "../../tensor/tf.ts";
import { Metric, type Totals } from "../metric.ts";
import { checkShapes, probabilities } from "./inputs.ts";
import {
  type Average,
  type Averaged,
  checkAverage,
  type ClassificationOptions,
  type ResolvedTask,
  resolveTask,
} from "./task.ts";

/** Options of {@linkcode AUROC} and {@linkcode AveragePrecision}. */
export interface CurveOptions<A extends Average = Average> extends Omit<ClassificationOptions, "threshold"> {
  /** As for {@linkcode Accuracy}; "micro" only for task "multilabel". Default: "macro". */
  average?: A;
}

/** Scores of one class against its truths, sorted from the highest score on. */
export interface Ranked {
  /** True positives and false positives down to and including each distinct score. */
  tp: Float64Array;
  fp: Float64Array;
  positives: number;
  negatives: number;
}

/**
 * Metrics over all thresholds, exact: every score is kept (a float32 for each class, and the target) until `reset`, and sorted in
 * `compute`, O(n log n) a class.
 */
export abstract class CurveMetric<A extends Average> extends Metric<Averaged<A>> {
  readonly #task: ResolvedTask;
  readonly #average: Average;
  readonly #owner: string;

  constructor(owner: string, options: CurveOptions<A>) {
    const task = resolveTask(owner, options, ["average"]);
    super({ scores: { reduce: "cat" }, targets: { reduce: "cat" } });
    this.#owner = owner;
    this.#task = task;
    const allowed: Average[] = ["macro", "weighted", "none"];
    if (task.task !== "multiclass") allowed.unshift("micro");
    this.#average = checkAverage<Average>(owner, options.average ?? "macro", allowed);
  }

  /**
   * @param preds probabilities or logits, float32: [samples, …] for "binary", [samples, …, classes or labels] otherwise
   * @param target int32: 0 and 1 of the same shape, or classes [samples, …]
   */
  update(preds: tf.Tensor, target: tf.Tensor): void {
    this.add(() => {
      checkShapes(this.#owner, preds, target, this.#task);
      if (preds.dtype !== "float32") {
        throw new TypeError(`${this.#owner} takes probabilities or logits (float32), but got ${preds.dtype}`);
      }
      const activation = this.#task.task === "multiclass" ? (x: tf.Tensor) => tf.softmax(x, -1) : tf.sigmoid;
      return { scores: probabilities(preds, activation), targets: target.toInt() };
    });
  }

  /** The metric of one class. */
  protected abstract area(ranked: Ranked): number;

  /** @throws {RangeError} if a target names no class, {Error} if there is no sample */
  override fromTotals({ scores, targets }: Totals): Averaged<A> {
    const { task, size, ignoreIndex } = this.#task;
    const limit = task === "multiclass" ? size : 2;
    const odd = targets.find((t) => t !== ignoreIndex && (t < 0 || t >= limit));
    if (odd !== undefined) {
      throw new RangeError(`${this.#owner}: a target is ${odd}, but must be an integer from 0 to ${limit - 1}`);
    }
    if (!targets.some((t) => t !== ignoreIndex)) throw new Error(`${this.#owner} has no value before the first sample`);
    if (task === "binary" || this.#average === "micro") {
      const places = [...targets.keys()].filter((i) => targets[i] !== ignoreIndex);
      const area = this.area(rank(places, (i) => scores[i], (i) => targets[i] === 1));
      // torchmetrics has 0 for one curve without positives, and no value for a class without any.
      return (Number.isNaN(area) ? 0 : area) as Averaged<A>;
    }
    const samples = scores.length / size;
    const supports: number[] = [];
    const areas = Array.from({ length: size }, (_, c) => {
      const target = (i: number) => task === "multiclass" ? targets[i] : targets[i * size + c];
      const places = Array.from({ length: samples }, (_, i) => i).filter((i) => target(i) !== ignoreIndex);
      const ranked = rank(places, (i) => scores[i * size + c], (i) => target(i) === (task === "multiclass" ? c : 1));
      supports.push(ranked.positives);
      return this.area(ranked);
    });
    if (this.#average === "none") return areas as Averaged<A>;
    // Classes without a value (NaN) are left out, as in torchmetrics.
    let sum = 0, whole = 0;
    for (const [c, area] of areas.entries()) {
      if (Number.isNaN(area)) continue;
      const weight = this.#average === "weighted" ? supports[c] : 1;
      sum += weight * area;
      whole += weight;
    }
    return sum / whole as Averaged<A>;
  }
}

function rank(places: number[], score: (i: number) => number, positive: (i: number) => boolean): Ranked {
  const order = places.sort((a, b) => score(b) - score(a));
  const tp: number[] = [], fp: number[] = [];
  let positives = 0, negatives = 0;
  for (const [k, i] of order.entries()) {
    if (positive(i)) positives++;
    else negatives++;
    if (k + 1 < order.length && score(order[k + 1]) === score(i)) continue;
    tp.push(positives);
    fp.push(negatives);
  }
  return { tp: Float64Array.from(tp), fp: Float64Array.from(fp), positives, negatives };
}
