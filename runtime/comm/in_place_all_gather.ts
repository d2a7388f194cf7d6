import type { Exchange } from "./exchange.ts";
import type { DataArray } from "./process_group.ts";
import type { SharedPlace } from "./shared_arrays.ts";
import { hear, tell } from "./turns.ts";

/**
 * All-gather of arrays that lie in shared memory: each rank copies the others' from where they are. Lengths travel in the heads. Two turns: that one's array is there, and that one has read all of the others'.
 * @returns every rank's array, by rank; this rank's is `data` itself
 */
export async function allGatherInPlace<T extends DataArray>(
  exchange: Exchange,
  place: SharedPlace,
  data: T,
): Promise<T[]> {
  const { rank, worldSize } = exchange, all = new Array<T>(worldSize);
  const like = data.constructor as new (buffer: ArrayBufferLike) => T;
  all[rank] = data;
  tell(exchange, 0);
  for (let k = 1; k < worldSize; k++) {
    const from = (rank + worldSize - k) % worldSize;
    await exchange.receive(from, 0);
    const bytes = exchange.arrived.count * data.BYTES_PER_ELEMENT, start = place.start + from * place.stride;
    all[from] = new like(place.bytes.slice(start, start + bytes).buffer);
    await exchange.pause();
  }
  tell(exchange, 1);
  await hear(exchange, 1);
  return all;
}
