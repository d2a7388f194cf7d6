import type { Peers } from "./peers.ts";
import { type NumberArray, type NumberArrayType, type ReduceOp, segmentOf } from "./process_group.ts";
import { divide, reduceInto } from "./reduce.ts";
import type { SharedPlace } from "./shared_arrays.ts";
import { hear, tell } from "./turns.ts";

/** Ranks' shares begin at multiples of this: a cache line, so that no two ranks write to one. */
const LINE_BYTES = 64;
const VECTOR_BYTES = 16;
/** How much is computed before other work may have its turn. */
const STRETCH_BYTES = 1 << 20;

/** Options of {@linkcode reduceInPlace}. */
export interface InPlaceOptions {
  op: ReduceOp;
  /** Every rank gets the whole result; otherwise its segment alone. */
  gather: boolean;
}

/**
 * All-reduce or reduce-scatter of arrays that lie in shared memory. When all have come, each rank reduces its share of all arrays, and
 * writes the result into all of them, or of a reduce-scatter into its own; when all are done, each goes on. Two turns; a rank reads S bytes and
 * writes S, or S/n of a reduce-scatter.
 */
export async function reduceInPlace<T extends NumberArray>(
  peers: Peers,
  place: SharedPlace,
  options: InPlaceOptions & { data: T },
): Promise<void> {
  const { data, op, gather } = options, { rank } = peers;
  const [from, to] = gather ? shareOf(data.byteLength, peers) : scatteredShare(data, peers);
  const own = place.start + rank * place.stride;
  tell(peers, 0);
  await hear(peers, 0);
  const end = to - (to - from) % VECTOR_BYTES;
  for (let at = from; at < end; at += STRETCH_BYTES) {
    const bytes = Math.min(STRETCH_BYTES, end - at), source = place.start + at;
    if (gather) place.kernels.reduceEverywhere(data, op, { source, bytes });
    else place.kernels.reduce(data, op, { target: own + at, source, bytes });
    await peers.pause();
  }
  if (end < to) {
    const rest = reduceRest(place, data, { op, from: end, to, worldSize: peers.worldSize });
    for (let to = 0; to < peers.worldSize; to++) {
      if (gather || to === rank) place.bytes.set(rest, place.start + to * place.stride + end);
    }
  }
  tell(peers, 1);
  await hear(peers, 1);
}

/** From where to where a rank's share of an all-reduce is: whole cache lines, but for the last. */
function shareOf(byteLength: number, { rank, worldSize }: Peers): [number, number] {
  const { start, end } = segmentOf(Math.ceil(byteLength / LINE_BYTES), rank, worldSize);
  return [start * LINE_BYTES, Math.min(end * LINE_BYTES, byteLength)];
}

function scatteredShare(data: NumberArray, { rank, worldSize }: Peers): [number, number] {
  const { start, end } = segmentOf(data.length, rank, worldSize);
  return [start * data.BYTES_PER_ELEMENT, end * data.BYTES_PER_ELEMENT];
}

/** What is less than a vector, in the same order as the kernels. */
function reduceRest<T extends NumberArray>(
  place: SharedPlace,
  like: T,
  { op, from, to, worldSize }: { op: ReduceOp; from: number; to: number; worldSize: number },
): Uint8Array {
  const type = like.constructor as NumberArrayType<T>;
  const of = (rank: number) => {
    const at = place.start + rank * place.stride;
    return new type(place.bytes.slice(at + from, at + to).buffer, 0, (to - from) / like.BYTES_PER_ELEMENT);
  };
  const result = of(0);
  for (let rank = 1; rank < worldSize; rank++) reduceInto(result, of(rank), op);
  if (op === "mean") divide(result, worldSize);
  return new Uint8Array(result.buffer);
}
