import type { ClusterInfo } from "./cluster_info.ts";
import { mainAddressOf, mainPortOf } from "./main_address.ts";
import { requireBelow, requireInteger } from "./require_variable.ts";
import { firstSlurmHost, tasksPerNode } from "./slurm_node_list.ts";
import { integer, text, type Variables } from "./variables.ts";

/** Jobs that a person types into; Lightning's names. */
const INTERACTIVE = ["bash", "interactive"];

/**
 * Slurm: a task of `srun`. A process that the batch script starts without `srun` is no task, and neither is what a person
 * types into a shell that runs as a job (`srun --pty bash`, or a job named `interactive` with one task): both are alone.
 *
 * Rank 0 hosts the store, on a port that follows from the job's number.
 *
 * @throws Error or RangeError naming variable and value, if one is missing or contradicts another
 *
 * @example
 * ```ts
 * const cluster = detectSlurm({
 *   ...{ SLURM_NTASKS: "2", SLURM_PROCID: "1", SLURM_LOCALID: "1", SLURM_NODEID: "0", SLURM_NNODES: "1" },
 *   ...{ SLURM_JOB_ID: "4711", SLURM_STEP_ID: "0", SLURM_JOB_NAME: "train", SLURM_NODELIST: "node7" },
 * });
 * console.assert(cluster?.rank === 1 && cluster.mainPort === 19711);
 * ```
 */
export function detectSlurm(variables: Variables): ClusterInfo | undefined {
  if (!isSlurmTask(variables)) return undefined;
  const required = (name: string, min = 0) => requireInteger(variables, name, { min, what: "Slurm" });
  const worldSize = required("SLURM_NTASKS", 1);
  const rank = required("SLURM_PROCID"), localRank = required("SLURM_LOCALID"), nodeRank = required("SLURM_NODEID");
  const numNodes = stepInteger(variables, "NUM_NODES", "NNODES") ?? 1;
  const localWorldSize = tasksHere(variables, { worldSize, numNodes, nodeRank });
  requireBelow(["SLURM_PROCID", rank], ["SLURM_NTASKS", worldSize]);
  requireBelow(["SLURM_NODEID", nodeRank], ["the number of nodes", numNodes]);
  requireBelow(["SLURM_LOCALID", localRank], ["the number of tasks on this node", localWorldSize]);
  const job = integer(variables, "SLURM_JOB_ID"), step = integer(variables, "SLURM_STEP_ID") ?? 0;
  const list = text(variables, "SLURM_STEP_NODELIST") ?? text(variables, "SLURM_NODELIST") ??
    text(variables, "SLURM_JOB_NODELIST");
  return {
    kind: "slurm",
    ...{ rank, localRank, nodeRank, worldSize, localWorldSize, numNodes },
    mainAddress: mainAddressOf(variables, {
      ...{ what: "Slurm", numNodes },
      firstHost: numNodes > 1 && list !== undefined ? firstSlurmHost(list) : undefined,
    }),
    // Steps of one job may run beside each other. 1009 is prime, so that they do not come back to the ports of the next jobs soon.
    mainPort: mainPortOf(variables, job === undefined ? undefined : job + step * 1009),
    storeIsHosted: false,
    runId: `slurm-${job ?? "job"}.${step}`,
    generation: integer(variables, "SLURM_RESTART_COUNT") ?? 0,
  };
}

function isSlurmTask(variables: Variables): boolean {
  if (text(variables, "SLURM_NTASKS") === undefined) return false;
  const step = text(variables, "SLURM_STEP_ID") ?? text(variables, "SLURM_STEPID");
  if (step === undefined) return false;
  if (!INTERACTIVE.includes(text(variables, "SLURM_JOB_NAME") ?? "")) return true;
  // `srun -n 2 bash -c …` is named bash too, but nobody types into it.
  return text(variables, "SLURM_PTY_PORT") === undefined && Number(text(variables, "SLURM_NTASKS")) > 1;
}

/** Tasks of this step on this host. */
function tasksHere(
  variables: Variables,
  { worldSize, numNodes, nodeRank }: Pick<ClusterInfo, "worldSize" | "numNodes" | "nodeRank">,
): number {
  const notation = text(variables, "SLURM_STEP_TASKS_PER_NODE") ?? text(variables, "SLURM_TASKS_PER_NODE");
  if (notation !== undefined) {
    const counts = tasksPerNode(notation);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (counts.length === numNodes && total === worldSize) return counts[nodeRank] ?? 0;
    throw new RangeError(
      `Slurm has ${worldSize} tasks (SLURM_NTASKS) on ${numNodes} nodes, but its tasks per node, ${notation}, ` +
        `are ${total} on ${counts.length}. HINT: use \`--nodes=${numNodes} --ntasks-per-node=${
          Math.ceil(worldSize / numNodes)
        }\` for both sbatch and srun`,
    );
  }
  const perNode = integer(variables, "SLURM_NTASKS_PER_NODE", { min: 1 }) ?? worldSize / numNodes;
  if (perNode * numNodes === worldSize) return perNode;
  throw new RangeError(
    `Slurm has ${worldSize} tasks (SLURM_NTASKS) on ${numNodes} nodes with ${perNode} tasks per node, which do not fit. ` +
      `HINT: leave out \`--ntasks\` and use \`--nodes=${numNodes} --ntasks-per-node=${
        Math.ceil(worldSize / numNodes)
      }\``,
  );
}

/** What the step has, else the job. */
function stepInteger(variables: Variables, step: string, job: string): number | undefined {
  return integer(variables, `SLURM_STEP_${step}`, { min: 1 }) ?? integer(variables, `SLURM_${job}`, { min: 1 });
}
