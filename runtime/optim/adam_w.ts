import { Adam, type AdamOptions } from "./adam.ts";

/**
 * Adam whose weight decay (default 0.01) shrinks the parameters directly instead of going through the gradient (I. Loshchilov and
 * F. Hutter, "Decoupled Weight Decay Regularization", 2019), computed as in PyTorch.
 *
 * @example
 * ```ts
 * const optimizer = new AdamW({ learningRate: 1e-3, weightDecay: 0.05 });
 * console.assert(optimizer.name === "AdamW");
 * ```
 */
export class AdamW extends Adam {
  override readonly name = "AdamW";

  /** @throws RangeError if an option is out of range */
  constructor(options: AdamOptions = {}) {
    super(options, 0.01);
  }

  protected override get decoupled(): boolean {
    return true;
  }
}
