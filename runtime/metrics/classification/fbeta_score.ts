import { safeDivide } from "../checks.ts";
import { type Counts, StatScores } from "./stat_scores.ts";
import type { Average, AveragedOptions } from "./task.ts";

/** Options of {@linkcode FBetaScore}. */
export interface FBetaOptions<A extends Average = Average> extends AveragedOptions<A> {
  /** How many times more recall counts than precision. */
  beta: number;
}

/** The weighted harmonic mean of precision and recall. */
export class FBetaScore<A extends Average = "micro"> extends StatScores<A> {
  readonly #beta2: number;

  /** @throws {RangeError} if beta is not above 0 */
  constructor(options: FBetaOptions<A>, owner = "FBetaScore") {
    super(owner, options, ["beta"]);
    if (!(options.beta > 0 && Number.isFinite(options.beta))) {
      throw new RangeError(`${owner}: \`beta\` must be above 0 and finite, but got ${String(options.beta)}`);
    }
    this.#beta2 = options.beta ** 2;
  }

  protected override score({ tp, fp, fn }: Counts): number {
    const b = this.#beta2;
    return safeDivide((1 + b) * tp, (1 + b) * tp + b * fn + fp);
  }

  protected override counted({ tp, fp, fn }: Counts): boolean {
    return tp + fp + fn > 0;
  }
}
