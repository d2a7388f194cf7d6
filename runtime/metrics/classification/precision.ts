import { safeDivide } from "../checks.ts";
import { type Counts, StatScores } from "./stat_scores.ts";
import type { Average, AveragedOptions } from "./task.ts";

/** The part of what was predicted that is true: tp / (tp + fp). 0 where nothing was predicted. */
export class Precision<A extends Average = "micro"> extends StatScores<A> {
  constructor(options: AveragedOptions<A>) {
    super("Precision", options);
  }

  protected override score({ tp, fp }: Counts): number {
    return safeDivide(tp, tp + fp);
  }
}
