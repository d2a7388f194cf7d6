import { FBetaScore } from "./fbeta_score.ts";
import type { Average, AveragedOptions } from "./task.ts";

/** The harmonic mean of precision and recall. */
export class F1Score<A extends Average = "micro"> extends FBetaScore<A> {
  constructor(options: AveragedOptions<A>) {
    super({ ...options, beta: 1 }, "F1Score");
  }
}
