import { rejectUnknownOptions } from "../core/suggest.ts";

/** Options of {@linkcode GradScaler}. */
export interface GradScalerOptions {
  /** What the loss is multiplied by at first. Default: 65,536. */
  initScale?: number;
  /** What the scale is multiplied by after `growthInterval` steps in a row with finite gradients. Default: 2. */
  growthFactor?: number;
  /** What the scale is multiplied by after a step whose gradients were not finite. Default: 0.5. */
  backoffFactor?: number;
  /** Default: 2000. */
  growthInterval?: number;
}

/** What a checkpoint keeps of a {@linkcode GradScaler}. */
export type GradScalerState = { scale: number; growthTracker: number };

/**
 * The scale of the loss in `16-mixed` training: large enough that small gradients do not vanish in float16, halved when gradients
 * overflow, and doubled now and then. A number with its rules, no tensors: who computes gradients multiplies the loss by `scale` and
 * them by `1 / scale`, and calls {@linkcode update} once a step.
 *
 * Source: P. Micikevicius et al., "Mixed Precision Training", ICLR 2018; the numbers are those of PyTorch's GradScaler.
 *
 * @example
 * ```ts
 * const scaler = new GradScaler({ growthInterval: 2 });
 * scaler.update({ nonFinite: true });
 * console.assert(scaler.scale === 32_768);
 * scaler.update({ nonFinite: false });
 * scaler.update({ nonFinite: false });
 * console.assert(scaler.scale === 65_536);
 * ```
 */
export class GradScaler {
  readonly #growthFactor: number;
  readonly #backoffFactor: number;
  readonly #growthInterval: number;
  #scale: number;
  #growthTracker = 0;

  /** @throws RangeError for a scale or factor out of range; TypeError for an unknown option */
  constructor(options: GradScalerOptions = {}) {
    rejectUnknownOptions("GradScaler", options, ["initScale", "growthFactor", "backoffFactor", "growthInterval"]);
    const { initScale = 65_536, growthFactor = 2, backoffFactor = 0.5, growthInterval = 2000 } = options;
    check("initScale", initScale, usableScale(initScale), "a number whose inverse is a float32 too");
    check("growthFactor", growthFactor, growthFactor > 1 && growthFactor < Infinity, "above 1");
    check("backoffFactor", backoffFactor, backoffFactor > 0 && backoffFactor < 1, "between 0 and 1");
    check(
      "growthInterval",
      growthInterval,
      Number.isInteger(growthInterval) && growthInterval > 0,
      "an integer from 1",
    );
    this.#scale = initScale;
    this.#growthFactor = growthFactor;
    this.#backoffFactor = backoffFactor;
    this.#growthInterval = growthInterval;
  }

  /** What the loss is to be multiplied by. */
  get scale(): number {
    return this.#scale;
  }

  /** Ends a step. @param step `nonFinite`: its gradients had a NaN or an infinity, so that it was skipped */
  update(step: { nonFinite: boolean }): void {
    if (step.nonFinite) {
      this.#growthTracker = 0;
      const scale = this.#scale * this.#backoffFactor;
      // Gradients that stay broken are not the scale's fault: it must not become a number whose inverse is infinite.
      if (usableScale(scale)) this.#scale = scale;
    } else if (++this.#growthTracker === this.#growthInterval) {
      this.#growthTracker = 0;
      const scale = this.#scale * this.#growthFactor;
      if (usableScale(scale)) this.#scale = scale;
    }
  }

  stateDict(): GradScalerState {
    return { scale: this.#scale, growthTracker: this.#growthTracker };
  }

  /** @throws TypeError if `state` is no state of a GradScaler */
  loadStateDict(state: Record<string, unknown>): void {
    const { scale, growthTracker } = state;
    if (typeof scale !== "number" || !usableScale(scale) || !Number.isInteger(growthTracker)) {
      throw new TypeError(
        `the state of a GradScaler is { scale, growthTracker }, a positive number and an integer, but got ${
          JSON.stringify(state)
        }`,
      );
    }
    this.#scale = scale;
    this.#growthTracker = growthTracker as number;
  }
}

function usableScale(scale: number): boolean {
  return scale >= 2 ** -126 && scale <= 2 ** 126;
}

function check(name: string, value: number, right: boolean, expected: string): void {
  if (!right) throw new RangeError(`\`${name}\` must be ${expected}, but got ${value}`);
}
