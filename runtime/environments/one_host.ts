import type { ClusterInfo } from "./cluster_info.ts";

/** Said wherever ranks on several hosts are refused. */
export const ONE_HOST_ONLY = "Between hosts the sockets would be open to everyone, because nothing is encrypted yet: " +
  "until it is, all ranks of a run must be on one host";

/** Whether an address can be reached from this host only. */
export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || /^127(\.\d+){3}$/.test(address);
}

/**
 * Refuses a run whose sockets would have to leave the host.
 *
 * @throws Error saying on how many hosts the ranks are, or at which address the store would listen, and what to do instead
 */
export function requireOneHost({ kind, worldSize, numNodes, mainAddress }: ClusterInfo): void {
  if (worldSize === 1 || isLoopback(mainAddress)) return;
  if (numNodes > 1) {
    throw new Error(
      `The ${worldSize} ranks are on ${numNodes} hosts (${kind}, main address ${mainAddress}). ${ONE_HOST_ONLY}. ` +
        HINTS[kind],
    );
  }
  throw new Error(
    `The main address ${mainAddress} of ${worldSize} ranks (${kind}) can be reached from other hosts. ${ONE_HOST_ONLY}. ` +
      `If they are, set MASTER_ADDR=127.0.0.1.`,
  );
}

const LAUNCHER = "Use the launcher on one host: `deno run -A launcher/main.ts --devices N script.ts`.";
const HINTS: Record<ClusterInfo["kind"], string> = {
  local: LAUNCHER,
  launcher: LAUNCHER,
  torchrun: "Start torchrun with `--nnodes 1`.",
  slurm: "Ask Slurm for one node: `--nodes=1 --ntasks-per-node=N`.",
  mpi: "Start all on one host: `mpirun --host localhost:N -n N …`.",
  kubernetes: "Use one pod with several ranks: `completions: 1`, and the launcher with `--devices N` as its command.",
};
