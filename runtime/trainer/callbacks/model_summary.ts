import { Callback, type CallbackOrder } from "../callback.ts";
import type { LightningModule } from "../lightning_module.ts";
import type { Trainer } from "../trainer.ts";
import { info } from "../../core/messages.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import { summarize, type SummarizeOptions } from "./summarize.ts";

/**
 * Prints the table of {@linkcode summarize} when a fit begins, on rank 0. The Trainer has one unless `enableModelSummary` is false.
 *
 * @example
 * ```ts
 * const summary = new ModelSummary({ maxDepth: 2 });
 * console.assert(summary.maxDepth === 2);
 * ```
 */
export class ModelSummary extends Callback {
  /** How deep the table goes, -1 for all; 0 prints nothing. */
  readonly maxDepth: number;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(options: SummarizeOptions = {}) {
    super();
    rejectUnknownOptions("ModelSummary", options, ["maxDepth"]);
    const { maxDepth = 1 } = options;
    if (!Number.isSafeInteger(maxDepth) || maxDepth < -1) {
      throw new RangeError(
        `\`ModelSummary({ maxDepth })\` must be an integer from 0 up, or -1 for all, but got ${maxDepth}`,
      );
    }
    this.maxDepth = maxDepth;
  }

  override get order(): CallbackOrder {
    return "first";
  }

  override onFitStart(trainer: Trainer, module: LightningModule): void {
    if (this.maxDepth === 0 || !trainer.isGlobalZero) return;
    info(`\n${summarize(module, { maxDepth: this.maxDepth })}`);
  }
}
