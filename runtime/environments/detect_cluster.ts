import type { ClusterInfo } from "./cluster_info.ts";
import { detectLauncher, detectLocal, type Detector, detectTorchrun } from "./detectors.ts";
import type { Variables } from "./variables.ts";

/** Tried in this order; the first that recognises its variables decides. A new environment is one more function before `detectLocal`. */
export const DETECTORS: readonly Detector[] = [detectLauncher, detectTorchrun, detectLocal];

/**
 * Who this process is, from environment variables. Pure: reads nothing but its argument.
 *
 * @param variables usually `processEnvironment()`
 * @param detectors default: {@linkcode DETECTORS}
 * @throws Error or RangeError naming variable and value, if one is missing, no number, or contradicts another
 *
 * @example
 * ```ts
 * const cluster = detectCluster({ RANK: "1", WORLD_SIZE: "2", MASTER_ADDR: "127.0.0.1", MASTER_PORT: "29500" });
 * console.assert(cluster.kind === "torchrun" && cluster.rank === 1 && cluster.worldSize === 2);
 * console.assert(detectCluster({}).kind === "local");
 * ```
 */
export function detectCluster(variables: Variables, detectors: readonly Detector[] = DETECTORS): ClusterInfo {
  for (const detect of detectors) {
    const cluster = detect(variables);
    if (cluster) return Object.freeze(cluster);
  }
  throw new Error("No detector recognised the environment: end the list with detectLocal");
}
