import type { ClusterInfo } from "./cluster_info.ts";
import { readRankNumbers } from "./numbered_ranks.ts";
import { flag, integer, text, type Variables } from "./variables.ts";

/** Recognises one way of starting processes by its variables: undefined means it was not that one. */
export type Detector = (variables: Variables) => ClusterInfo | undefined;

/** Weft's own launcher: it sets `WEFT_RUN_ID` beside the ranks, and hosts the store. */
export function detectLauncher(variables: Variables): ClusterInfo | undefined {
  const runId = text(variables, "WEFT_RUN_ID");
  if (runId === undefined || text(variables, "RANK") === undefined) return undefined;
  return {
    kind: "launcher",
    ...readRankNumbers(variables),
    storeIsHosted: flag(variables, "WEFT_STORE") ?? false,
    runId,
    generation: integer(variables, "WEFT_RESTART") ?? 0,
  };
}

/**
 * torchrun, and whatever else sets `RANK` and `WORLD_SIZE` as it does. Rank 0 hosts the store; where torchrun's agent already listens
 * on `MASTER_PORT` (`TORCHELASTIC_USE_AGENT_STORE=True`), on the port after it.
 */
export function detectTorchrun(variables: Variables): ClusterInfo | undefined {
  if (text(variables, "RANK") === undefined && text(variables, "WORLD_SIZE") === undefined) return undefined;
  const numbers = readRankNumbers(variables);
  // torchrun names the host as others see it even if there are no others.
  const isOneHost = numbers.numNodes === 1 && integer(variables, "LOCAL_WORLD_SIZE") === numbers.worldSize;
  const taken = flag(variables, "TORCHELASTIC_USE_AGENT_STORE") ?? false;
  const mainPort = !taken ? numbers.mainPort : numbers.mainPort < 65535 ? numbers.mainPort + 1 : numbers.mainPort - 1;
  return {
    kind: "torchrun",
    ...numbers,
    mainAddress: isOneHost ? "127.0.0.1" : numbers.mainAddress,
    mainPort,
    storeIsHosted: false,
    runId: text(variables, "TORCHELASTIC_RUN_ID") ?? `${numbers.mainAddress}:${numbers.mainPort}`,
    generation: integer(variables, "TORCHELASTIC_RESTART_COUNT") ?? 0,
  };
}

/** Nothing started this process: it is alone. Always recognises, so it comes last. */
export function detectLocal(): ClusterInfo {
  return {
    kind: "local",
    rank: 0,
    localRank: 0,
    nodeRank: 0,
    worldSize: 1,
    localWorldSize: 1,
    numNodes: 1,
    mainAddress: "127.0.0.1",
    mainPort: 0,
    storeIsHosted: false,
    runId: "local",
    generation: 0,
  };
}
