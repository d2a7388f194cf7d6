import type { Random } from "../../../runtime/seed/random.ts";
import type { Latency } from "../world/network.ts";

/** What a rank does to itself, or is done to it, at a step of the first generation. */
export interface RankFault {
  /** `throw again`: at that step of every generation. `cut`: its connection with another rank is lost for good. */
  readonly kind: "throw" | "throw again" | "kill" | "exit" | "stop" | "cut";
  readonly rank: number;
  readonly step: number;
  /** Of a cut. */
  readonly other: number;
}

/** What happens to a host. */
export interface HostFault {
  /** `term`: its launcher gets TERM. `gone`: all its processes end. `pause`: it is cut off for less than the heartbeat's timeout. */
  readonly kind: "term" | "gone" | "pause" | "cut off" | "late";
  readonly node: number;
  readonly atMs: number;
  /** Of a pause. */
  readonly forMs: number;
}

/** A run of the launcher on one or several hosts, and what goes wrong: all of it drawn from a seed. */
export interface RunPlan {
  readonly numNodes: number;
  readonly minNodes: number;
  readonly localWorldSize: number;
  readonly steps: number;
  readonly checkpointEvery: number;
  readonly computeMs: number;
  readonly slowRank: number;
  readonly heartbeatMs: number;
  readonly maxRestarts: number;
  /** When each launcher starts. */
  readonly startMs: readonly number[];
  readonly latency: Latency;
  readonly fault?: RankFault | HostFault;
}

export function drawRunPlan(random: Random): RunPlan {
  const numNodes = [1, 1, 1, 2, 2, 3][random.integer(6)];
  const localWorldSize = (numNodes === 1 ? 2 : 1) + random.integer(4);
  const worldSize = numNodes * localWorldSize;
  const minNodes = numNodes > 1 && random.integer(2) === 0 ? numNodes - 1 : numNodes;
  const steps = 4 + random.integer(9), computeMs = 5 + random.uniform() * 200;
  const rank = random.integer(worldSize), step = random.integer(steps), node = random.integer(numNodes);
  const atMs = 300 + random.uniform() * steps * computeMs;
  const heartbeatMs = 2_000 + random.integer(8_000);
  const other = (rank + 1 + random.integer(worldSize - 1)) % worldSize;
  const onRank = (kind: RankFault["kind"]): RankFault => ({ kind, rank, step, other });
  const onHost = (kind: HostFault["kind"], node: number): HostFault => ({
    ...{ kind, node, atMs },
    forMs: random.uniform() * heartbeatMs / 3,
  });
  const draws: (() => RunPlan["fault"])[] = [
    () => undefined,
    () => onRank("throw"),
    () => onRank("throw again"),
    () => onRank("kill"),
    () => onRank("stop"),
    () => onRank("cut"),
    () => onRank("exit"),
    () => onHost("term", node),
  ];
  if (numNodes > 1) {
    draws.push(() => onHost("gone", node), () => onHost("pause", node), () => onHost("cut off", 1));
    if (minNodes < numNodes) draws.push(() => onHost("late", numNodes - 1));
  }
  const fault = draws[random.integer(draws.length)]();
  return {
    ...{ numNodes, minNodes, localWorldSize, steps, computeMs, heartbeatMs, fault },
    checkpointEvery: 1 + random.integer(4),
    slowRank: random.integer(worldSize),
    maxRestarts: random.integer(3),
    startMs: Array.from(
      { length: numNodes },
      (_, node) => fault?.kind === "late" && fault.node === node ? 3_000 + fault.atMs : random.uniform() * 1_000,
    ),
    latency: { nearMs: 0.05, farMs: 0.1 + random.uniform() * 20, jitterMs: random.uniform() * 5 },
  };
}
