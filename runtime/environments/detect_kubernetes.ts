import type { ClusterInfo } from "./cluster_info.ts";
import { mainAddressOf, mainPortOf } from "./main_address.ts";
import { requireBelow } from "./require_variable.ts";
import { integer, text, type Variables } from "./variables.ts";

/**
 * A pod of a Kubernetes Indexed Job that is one of several: Kubernetes sets `JOB_COMPLETION_INDEX`, the manifest `WEFT_NUM_NODES` (its
 * `completions`) and `MASTER_ADDR` (pod 0's name under a headless service). Each pod is a host with one rank.
 *
 * Without `WEFT_NUM_NODES`, or with 1, a pod is no part of a larger run: jobs with many indices are also used for independent runs.
 *
 * @throws Error or RangeError naming variable and value, if one is missing or contradicts another
 *
 * @example
 * ```ts
 * const cluster = detectKubernetes({ JOB_COMPLETION_INDEX: "1", WEFT_NUM_NODES: "4", MASTER_ADDR: "train-0.train" });
 * console.assert(cluster?.rank === 1 && cluster.numNodes === 4);
 * ```
 */
export function detectKubernetes(variables: Variables): ClusterInfo | undefined {
  const rank = integer(variables, "JOB_COMPLETION_INDEX");
  if (rank === undefined) return undefined;
  const worldSize = integer(variables, "WEFT_NUM_NODES", { min: 1 }) ?? 1;
  if (worldSize === 1) return undefined;
  requireBelow(["JOB_COMPLETION_INDEX", rank], ["WEFT_NUM_NODES", worldSize]);
  const mainAddress = mainAddressOf(variables, { what: "Kubernetes", numNodes: worldSize });
  return {
    kind: "kubernetes",
    ...{ rank, localRank: 0, nodeRank: rank, worldSize, localWorldSize: 1, numNodes: worldSize, mainAddress },
    mainPort: mainPortOf(variables, undefined),
    storeIsHosted: false,
    runId: text(variables, "WEFT_RUN_ID") ?? `kubernetes-${mainAddress}`,
    generation: 0,
  };
}
