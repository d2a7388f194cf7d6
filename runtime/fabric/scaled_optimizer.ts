import type { Optimizer } from "../optim/optimizer.ts";
import type { GradScaler } from "../precision/grad_scaler.ts";
import type { StateDict } from "../tensor/state.ts";
import { tf } from "../tensor/tf.ts";
import { gradientOf } from "../tensor/gradients.ts";
import { noGrad } from "../tensor/tape.ts";
import { FabricOptimizer, type FabricOptimizerParts } from "./fabric_optimizer.ts";

/** The loss scale of a Fabric and what the last backward passes found. */
export class LossScaling {
  readonly scaler: GradScaler;
  readonly #nonFinite = new Set<tf.Variable>();

  constructor(scaler: GradScaler) {
    this.scaler = scaler;
  }

  /**
   * Looks for NaN and infinities in the gradients of these variables. Reads one number a variable back.
   * @returns whether there are any; after a synchronised backward the same on every rank, as the gradients are
   */
  async inspect(variables: readonly tf.Variable[]): Promise<boolean> {
    for (const variable of variables) this.#nonFinite.delete(variable);
    const inspected = variables.filter((variable) => gradientOf(variable));
    if (inspected.length === 0) return false;
    const finite = noGrad(() =>
      tf.tidy(() =>
        tf.keep(tf.stack(inspected.map((variable) => tf.all(tf.isFinite(gradientOf(variable)!).cast("bool")))))
      )
    );
    const values = await finite.data();
    finite.dispose();
    for (const [index, variable] of inspected.entries()) if (!values[index]) this.#nonFinite.add(variable);
    return values.some((value) => !value);
  }

  /** True if one of these variables was found with a gradient that is not finite. */
  hasNonFinite(variables: readonly tf.Variable[]): boolean {
    return variables.some((variable) => this.#nonFinite.has(variable) && gradientOf(variable) !== undefined);
  }
}

/** An optimizer under a loss scale: it skips steps whose gradients are not finite, and its saved state holds the scale's. */
export class ScaledOptimizer extends FabricOptimizer {
  readonly #scaling: LossScaling;

  constructor(original: Optimizer, parts: FabricOptimizerParts & { readonly scaling: LossScaling }) {
    super(original, parts);
    this.#scaling = parts.scaling;
  }

  /** Updates the parameters that have a gradient, unless one of the gradients is not finite; then the scale is lowered instead. */
  override step(): void | PromiseLike<void> {
    const nonFinite = this.#scaling.hasNonFinite(this.parameters);
    this.#scaling.scaler.update({ nonFinite });
    return nonFinite ? this.stepped() : super.step();
  }

  protected override withMore(state: StateDict): StateDict {
    return { ...state, gradScaler: this.#scaling.scaler.stateDict() };
  }

  /** A state that was saved without a scale, in another precision, leaves the scale as it is. */
  override loadStateDict(state: StateDict, options?: { strict?: boolean }): void {
    const { gradScaler, ...rest } = state;
    super.loadStateDict(rest, options);
    if (gradScaler) this.#scaling.scaler.loadStateDict(gradScaler as StateDict);
  }
}
