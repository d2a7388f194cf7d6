import { rejectUnknownOptions } from "../../core/suggest.ts";

/** What becomes of the numbers of several classes or labels. */
export type Average = "micro" | "macro" | "weighted" | "none";

/** What is predicted: yes or no, one of several classes, or yes or no for each of several labels. */
export type Task = "binary" | "multiclass" | "multilabel";

/** Options of the classification metrics. */
export interface ClassificationOptions {
  task: Task;
  /** For "multiclass": how many classes there are. */
  numClasses?: number;
  /** For "multilabel": how many labels there are. */
  numLabels?: number;
  /** For "binary" and "multilabel": from which probability on (exclusive) it is a yes. Default: 0.5. */
  threshold?: number;
  /** Samples with this target do not count. Default: all count. */
  ignoreIndex?: number;
}

/** Options of the classification metrics that can be averaged over classes or labels. */
export interface AveragedOptions<A extends Average = Average> extends ClassificationOptions {
  /**
   * "micro": all samples alike. "macro": the mean of the classes' numbers. "weighted": their mean weighted by how often each is true. "none":
   * one number a class. Without meaning for "binary". Default: "micro".
   */
  average?: A;
  /** For "multiclass" scores: right if the true class is among the k highest. Default: 1. */
  topK?: number;
}

/** The value of a metric with this average. */
export type Averaged<A extends Average> = A extends "none" ? number[] : number;

/** A task with its defaults filled in. */
export interface ResolvedTask {
  readonly task: Task;
  /** Classes or labels; 1 for "binary". */
  readonly size: number;
  readonly threshold: number;
  readonly ignoreIndex: number | undefined;
  readonly topK: number;
}

const BASE = ["task", "numClasses", "numLabels", "threshold", "ignoreIndex"];

/** Checks the options of a classification metric. @param extra the names of options besides the common ones */
export function resolveTask(
  owner: string,
  options: ClassificationOptions & { topK?: number },
  extra: readonly string[],
): ResolvedTask {
  rejectUnknownOptions(owner, options, [...BASE, ...extra]);
  const { task, threshold = 0.5, ignoreIndex, topK = 1 } = options;
  if (!["binary", "multiclass", "multilabel"].includes(task)) {
    throw new TypeError(
      `${owner}: \`task\` must be "binary", "multiclass" or "multilabel", but got ${JSON.stringify(task)}`,
    );
  }
  const needed = task === "multiclass" ? "numClasses" : task === "multilabel" ? "numLabels" : undefined;
  for (const name of ["numClasses", "numLabels"] as const) {
    if (name !== needed && options[name] !== undefined) {
      throw new TypeError(`${owner}: \`${name}\` has no meaning for task "${task}"; leave it out`);
    }
  }
  const size = needed === undefined ? 1 : options[needed]!;
  if (needed && (!Number.isInteger(size) || size < 2)) {
    throw new RangeError(`${owner}: task "${task}" needs \`${needed}\`, an integer from 2, but got ${String(size)}`);
  }
  if (!(threshold >= 0 && threshold <= 1)) {
    throw new RangeError(`${owner}: \`threshold\` must be from 0 to 1, but got ${String(threshold)}`);
  }
  if (ignoreIndex !== undefined && !Number.isInteger(ignoreIndex)) {
    throw new RangeError(`${owner}: \`ignoreIndex\` must be an integer, but got ${String(ignoreIndex)}`);
  }
  if (!Number.isInteger(topK) || topK < 1 || (task === "multiclass" ? topK > size : topK !== 1)) {
    throw new RangeError(
      `${owner}: \`topK\` must be an integer from 1 to the number of classes (and is for task "multiclass"), but got ${
        String(topK)
      }`,
    );
  }
  return Object.freeze({ task, size, threshold, ignoreIndex, topK });
}

/** @throws {TypeError} if it is none of `allowed` */
export function checkAverage<A extends Average>(owner: string, average: A, allowed: readonly Average[]): A {
  if (allowed.includes(average)) return average;
  throw new TypeError(
    `${owner}: \`average\` must be ${allowed.map((a) => `"${a}"`).join(", ")}, but got ${JSON.stringify(average)}`,
  );
}
