import { memoryTransports } from "./memory_transport.ts";
import type { ProcessGroup } from "./process_group.ts";
import { TransportGroup, type TransportGroupOptions } from "./transport_group.ts";

/**
 * All ranks of a group within one process: for tests, and for programs whose ranks share a process. They run the same
 * algorithms as ranks in processes of their own.
 *
 * @example
 * ```ts
 * const ranks = joinMemoryGroup(3);
 * const sums = await Promise.all(ranks.map((rank) => rank.allReduce(new Float32Array([rank.rank, 1]))));
 * if (sums.join(";") !== "3,3;3,3;3,3") throw new Error("expected 0+1+2 and 1+1+1 on every rank");
 * await Promise.all(ranks.map((rank) => rank[Symbol.asyncDispose]()));
 * ```
 */
export function joinMemoryGroup(worldSize: number, options: TransportGroupOptions = {}): ProcessGroup[] {
  if (!Number.isInteger(worldSize) || worldSize < 1) {
    throw new RangeError(`worldSize is ${worldSize}; give a whole number of ranks, 1 or more`);
  }
  return memoryTransports(worldSize, options.clock).map((transport) => new TransportGroup(transport, options));
}
