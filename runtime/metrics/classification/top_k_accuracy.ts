import { Accuracy } from "./accuracy.ts";

/** Options of {@linkcode TopKAccuracy}. */
export interface TopKAccuracyOptions {
  numClasses: number;
  /** Default: 5. */
  k?: number;
  /** Samples with this target do not count. Default: all count. */
  ignoreIndex?: number;
}

/** The part of samples whose true class is among the k with the highest scores. */
export class TopKAccuracy extends Accuracy<"micro"> {
  constructor({ k = 5, ...options }: TopKAccuracyOptions) {
    super({ task: "multiclass", topK: k, ...options });
  }
}
