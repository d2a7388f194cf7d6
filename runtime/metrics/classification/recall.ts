import { safeDivide } from "../checks.ts";
import { type Counts, StatScores } from "./stat_scores.ts";
import type { Average, AveragedOptions } from "./task.ts";

/** The part of what is true that was predicted: tp / (tp + fn). 0 where nothing is true. */
export class Recall<A extends Average = "micro"> extends StatScores<A> {
  constructor(options: AveragedOptions<A>) {
    super("Recall", options);
  }

  protected override score({ tp, fn }: Counts): number {
    return safeDivide(tp, tp + fn);
  }
}
