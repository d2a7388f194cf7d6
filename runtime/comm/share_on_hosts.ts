import { allReduceSmall } from "./algorithms.ts";
import type { HostLayout } from "./host_layout.ts";
import { type Peers, Subset } from "./peers.ts";
import type { SharedArrays, SharedRoom } from "./shared_arrays.ts";

/** Behind the steps in which the ranks of a host agree about a shared array. */
const EVERYWHERE_STEP = 0x5000_0000;

/** Whether every host has ranks that could share memory; a single host's could. */
export function canShare(layout: HostLayout | undefined): boolean {
  return layout === undefined || layout.carriers > 1;
}

/**
 * Makes an array in the memory that the ranks of each host share: on all hosts, or on none, so that all ranks reduce in the same way.
 * @param arrays this host's, if its ranks share memory
 */
export async function shareOnHosts(
  all: Peers,
  { layout, arrays, bytes }: { layout: HostLayout; arrays: SharedArrays | undefined; bytes: number },
): Promise<SharedRoom | undefined> {
  if (!canShare(layout)) return undefined;
  const room = await arrays?.make(new Subset(all, layout.near), bytes);
  const everyone = Array.from({ length: all.worldSize }, (_, rank) => rank);
  const answer = new Int32Array([room ? 1 : 0]);
  await allReduceSmall(new Subset(all, everyone, EVERYWHERE_STEP), answer, "min");
  if (answer[0] === 1) return room;
  if (room) arrays!.drop(room.buffer, Promise.resolve());
  return undefined;
}
