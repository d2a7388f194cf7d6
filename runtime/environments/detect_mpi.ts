import type { ClusterInfo } from "./cluster_info.ts";
import { mainAddressOf, mainPortOf, numberOf } from "./main_address.ts";
import { requireBelow, requireInteger } from "./require_variable.ts";
import { integer, text, type Variables } from "./variables.ts";

/**
 * Open MPI: `mpirun -n N` with more than one process. MPI itself is not used, so that no MPI library is needed in the process: on one
 * host the ranks agree on a port by the job's name (`PMIX_NAMESPACE`); on several, `MASTER_ADDR` must say where rank 0 is.
 *
 * @throws Error or RangeError naming variable and value, if one is missing or contradicts another
 *
 * @example
 * ```ts
 * const cluster = detectMpi({
 *   ...{ OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "2", PMIX_NAMESPACE: "403636225" },
 *   ...{ OMPI_COMM_WORLD_LOCAL_RANK: "1", OMPI_COMM_WORLD_LOCAL_SIZE: "2" },
 * });
 * console.assert(cluster?.rank === 1 && cluster.mainAddress === "127.0.0.1");
 * ```
 */
export function detectMpi(variables: Variables): ClusterInfo | undefined {
  const worldSize = integer(variables, "OMPI_COMM_WORLD_SIZE", { min: 1 });
  // A single process is alone: it may start ranks of its own.
  if (worldSize === undefined || worldSize === 1) return undefined;
  const required = (name: string, min = 0) =>
    requireInteger(variables, `OMPI_COMM_WORLD_${name}`, { min, what: "Open MPI" });
  const rank = required("RANK"), localRank = required("LOCAL_RANK"), localWorldSize = required("LOCAL_SIZE", 1);
  requireBelow(["OMPI_COMM_WORLD_RANK", rank], ["OMPI_COMM_WORLD_SIZE", worldSize]);
  requireBelow(["OMPI_COMM_WORLD_LOCAL_RANK", localRank], ["OMPI_COMM_WORLD_LOCAL_SIZE", localWorldSize]);
  if (localWorldSize > worldSize) {
    throw new RangeError(
      `OMPI_COMM_WORLD_LOCAL_SIZE=${localWorldSize} is larger than OMPI_COMM_WORLD_SIZE=${worldSize}: ` +
        `a host cannot hold more ranks than there are`,
    );
  }
  const numNodes = hostsOf(variables, worldSize, localWorldSize);
  // Open MPI numbers no hosts for its processes. With as many on each and ranks host by host, its default, it is this.
  const nodeRank = Math.min(Math.floor(rank / localWorldSize), numNodes - 1);
  const job = text(variables, "PMIX_NAMESPACE") ?? text(variables, "OMPI_MCA_ess_base_jobid");
  return {
    kind: "mpi",
    ...{ rank, localRank, nodeRank, worldSize, localWorldSize, numNodes },
    mainAddress: mainAddressOf(variables, { what: "Open MPI", numNodes }),
    mainPort: mainPortOf(variables, job === undefined ? undefined : numberOf(job)),
    storeIsHosted: false,
    runId: `mpi-${job ?? "job"}`,
    generation: 0,
  };
}

/** Open MPI 4 says how many hosts have processes of the job; where it is not said, all have as many as this one. */
function hostsOf(variables: Variables, worldSize: number, localWorldSize: number): number {
  if (localWorldSize === worldSize) return 1;
  const max = worldSize - localWorldSize + 1;
  return integer(variables, "OMPI_MCA_orte_num_nodes", { min: 2, max }) ?? Math.ceil(worldSize / localWorldSize);
}
