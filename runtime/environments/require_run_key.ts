import { isLoopback } from "../core/loopback.ts";
import type { ClusterInfo } from "./cluster_info.ts";
import { MAKE_KEY } from "./read_run_key.ts";
import { text, type Variables } from "./variables.ts";

/** Said wherever sockets that other hosts can reach are refused. */
export const KEY_IS_NEEDED = "What travels between hosts is encrypted with a key that all hosts of the run have. " +
  `Make one, ${MAKE_KEY}`;

/**
 * Refuses a run whose sockets would be open to other hosts without a key.
 *
 * @throws Error saying on how many hosts the ranks are, or at which address the store would listen, and what to do
 */
export function requireRunKey(cluster: ClusterInfo, variables: Variables): void {
  const { kind, worldSize, numNodes, mainAddress } = cluster;
  if (worldSize === 1 || isLoopback(mainAddress)) return;
  if (text(variables, "WEFT_RUN_KEY") !== undefined || text(variables, "WEFT_RUN_KEY_FILE") !== undefined) return;
  const what = numNodes > 1
    ? `The ${worldSize} ranks are on ${numNodes} hosts (${kind}, main address ${mainAddress})`
    : `The main address ${mainAddress} of ${worldSize} ranks (${kind}) can be reached from other hosts`;
  const oneHost = numNodes > 1 ? "" : " If all ranks are on one host, MASTER_ADDR=127.0.0.1 does without a key.";
  throw new Error(`${what}. ${KEY_IS_NEEDED}, and ${HINTS[kind]}.${oneHost}`);
}

const EVERYWHERE = "set WEFT_RUN_KEY_FILE to its path for every process, or WEFT_RUN_KEY to what it holds";
const HINTS: Record<ClusterInfo["kind"], string> = {
  local: EVERYWHERE,
  launcher: "give every launcher the same one with --key-file run.key",
  torchrun: EVERYWHERE,
  slurm: "`export WEFT_RUN_KEY_FILE=$PWD/run.key` before srun, on a disk that all nodes see",
  mpi: "`mpirun -x WEFT_RUN_KEY_FILE=$PWD/run.key …`, on a disk that all hosts see",
  kubernetes: "give it to all pods as WEFT_RUN_KEY, from a Secret (docs/kubernetes.md has the manifest)",
};
