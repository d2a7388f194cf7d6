import type { ClusterInfo } from "./cluster_info.ts";
import { detectLauncher, detectLocal, type Detector, detectTorchrun } from "./detectors.ts";
import { detectKubernetes } from "./detect_kubernetes.ts";
import { detectMpi } from "./detect_mpi.ts";
import { detectSlurm } from "./detect_slurm.ts";
import { requireRunKey } from "./require_run_key.ts";
import type { Variables } from "./variables.ts";

/**
 * Tried in this order; the first that recognises its variables decides. A new environment is one more function before `detectLocal`.
 * Open MPI comes before Slurm, whose variables its processes have too if Slurm started `mpirun`: there they are those of one task for all.
 */
export const DETECTORS: readonly Detector[] = [
  ...[detectLauncher, detectTorchrun, detectMpi, detectSlurm, detectKubernetes],
  detectLocal,
];

/**
 * Who this process is, from environment variables. Pure: reads nothing but its argument.
 *
 * @param variables usually `processEnvironment()`
 * @param detectors default: {@linkcode DETECTORS}
 * @throws Error or RangeError naming variable and value, if one is missing, no number, or contradicts another; Error if ranks are
 *   on several hosts and have no key
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
    if (!cluster) continue;
    requireRunKey(cluster, variables);
    return Object.freeze(cluster);
  }
  throw new Error("No detector recognised the environment: end the list with detectLocal");
}
