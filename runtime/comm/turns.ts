import type { Peers } from "./peers.ts";

/** Tells all others that this rank has come to a step. */
export function tell(peers: Peers, step: number): void {
  const { rank, worldSize } = peers;
  for (let k = 1; k < worldSize; k++) peers.send((rank + k) % worldSize, step);
}

/** Waits until all others have come to a step. */
export async function hear(peers: Peers, step: number): Promise<void> {
  const { rank, worldSize } = peers;
  for (let k = 1; k < worldSize; k++) await peers.receive((rank + worldSize - k) % worldSize, step);
}
