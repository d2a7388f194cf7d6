import type { GradientClipping } from "../module_host.ts";
import type { Session } from "../session.ts";
import type { LightningOptimizer } from "./lightning_optimizer.ts";
import { clipGradientsByNorm, clipGradientsByValue } from "../../optim/clip.ts";

/** Clips the gradients of one optimizer's parameters. @throws RangeError for an unknown algorithm */
export async function clipGradientsOf(
  session: Session,
  optimizer: LightningOptimizer,
  options: GradientClipping,
): Promise<void> {
  const { gradientClipVal: value, gradientClipAlgorithm: algorithm = "norm" } = options;
  if (value === undefined || value === 0) return;
  if (algorithm !== "norm" && algorithm !== "value") {
    throw new TypeError(`\`gradientClipAlgorithm\` must be "norm" or "value", but got ${JSON.stringify(algorithm)}`);
  }
  if (session.optimizers.length === 1) {
    const clipping = algorithm === "norm" ? { maxNorm: value, errorIfNonfinite: false } : { clipVal: value };
    await session.fabric.clipGradients(session.model, clipping);
  } else if (algorithm === "norm") {
    await clipGradientsByNorm([...optimizer.parameters], { maxNorm: value, errorIfNonfinite: false });
  } else clipGradientsByValue([...optimizer.parameters], value);
}
