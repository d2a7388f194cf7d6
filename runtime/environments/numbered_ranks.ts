import type { ClusterInfo } from "./cluster_info.ts";
import { integer, text, type Variables } from "./variables.ts";

/** The part of a ClusterInfo that says which rank this is, of how many. */
export type RankNumbers = Pick<
  ClusterInfo,
  "rank" | "localRank" | "nodeRank" | "worldSize" | "localWorldSize" | "numNodes" | "mainAddress" | "mainPort"
>;

/**
 * Reads `RANK`, `WORLD_SIZE` and their kin, as torchrun and the launcher set them. `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT` must be there
 * (the last two not for a world of one); the others have the values that they have on a single host if they are missing.
 *
 * @throws Error naming the missing variable, RangeError naming a value that is no number or contradicts another
 */
export function readRankNumbers(variables: Variables): RankNumbers {
  const worldSize = required(variables, "WORLD_SIZE", integer(variables, "WORLD_SIZE", { min: 1 }));
  const rank = below(
    variables,
    "RANK",
    "WORLD_SIZE",
    required(variables, "RANK", integer(variables, "RANK")),
    worldSize,
  );
  const localWorldSize = integer(variables, "LOCAL_WORLD_SIZE", { min: 1 }) ?? worldSize;
  if (localWorldSize > worldSize) {
    throw new RangeError(
      `LOCAL_WORLD_SIZE=${localWorldSize} is larger than WORLD_SIZE=${worldSize}: a host cannot hold more ranks than there are`,
    );
  }
  const localRank = below(
    variables,
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    integer(variables, "LOCAL_RANK") ?? rank % localWorldSize,
    localWorldSize,
  );
  const numNodes = integer(variables, "GROUP_WORLD_SIZE", { min: 1 }) ??
    integer(variables, "WEFT_NUM_NODES", { min: 1 }) ??
    Math.ceil(worldSize / localWorldSize);
  const nodeName = text(variables, "GROUP_RANK") === undefined ? "NODE_RANK" : "GROUP_RANK";
  const nodeRank = integer(variables, nodeName) ?? Math.floor(rank / localWorldSize);
  if (nodeRank >= numNodes) {
    throw new RangeError(`${nodeName}=${nodeRank} must be less than the number of hosts, ${numNodes}`);
  }
  if (localRank > rank) {
    throw new RangeError(
      `LOCAL_RANK=${localRank} is larger than RANK=${rank}: the rank on the host cannot exceed the global one`,
    );
  }
  const address = text(variables, "MASTER_ADDR"), port = integer(variables, "MASTER_PORT", { min: 1, max: 65535 });
  return {
    rank,
    localRank,
    nodeRank,
    worldSize,
    localWorldSize,
    numNodes,
    mainAddress: worldSize === 1 ? address ?? "127.0.0.1" : required(variables, "MASTER_ADDR", address),
    mainPort: worldSize === 1 ? port ?? 0 : required(variables, "MASTER_PORT", port),
  };
}

function required<T>(variables: Variables, name: string, value: T | undefined): T {
  if (value !== undefined) return value;
  const present = ["RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"]
    .filter((other) => text(variables, other) !== undefined).map((other) => `${other}=${variables[other]}`);
  throw new Error(
    `The environment variable ${name} is missing beside ${present.join(" ")}: ` +
      `set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT for every process, or unset them all and let the launcher do it`,
  );
}

function below(variables: Variables, name: string, limitName: string, value: number, limit: number): number {
  if (value < limit) return value;
  const given = text(variables, name) === undefined ? `${name} (${value}, from RANK)` : `${name}=${value}`;
  throw new RangeError(`${given} must be less than ${limitName}=${limit}: ranks count from 0 to ${limit - 1}`);
}
