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
/** The turn of a gathering that follows a reduction and what was done since. */
const GATHER_STEP = 0x1000_0000;

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
  const { data, op, gather } = options, { worldSize } = peers;
  const [from, to] = gather ? shareOf(data.byteLength, peers) : segmentBytes(data, peers.rank, worldSize);
  tell(peers, 0);
  await hear(peers, 0);
  await reduceShare(peers, place, { data, op, gather, from, to });
  tell(peers, 1);
  await hear(peers, 1);
}

/**
 * The first half of a reduction over several hosts: each of the first `owners` ranks reduces its segment of all arrays into its own. One turn. Nobody reads or
 * writes another's segment until {@linkcode gatherInPlace}.
 */
export async function scatterInPlace<T extends NumberArray>(
  peers: Peers,
  place: SharedPlace,
  options: { data: T; op: ReduceOp; owners: number },
): Promise<void> {
  const { data, op, owners } = options, { rank } = peers;
  tell(peers, 0);
  await hear(peers, 0);
  if (rank >= owners) return;
  const [from, to] = segmentBytes(data, rank, owners);
  await reduceShare(peers, place, { data, op, gather: false, from, to });
}

/** The second half: the owners write their segments into all arrays. One turn; a rank writes S/n to each other. */
export async function gatherInPlace(
  peers: Peers,
  place: SharedPlace,
  { data, owners }: { data: NumberArray; owners: number },
): Promise<void> {
  const { rank, worldSize } = peers, areaOf = (one: number) => place.start + one * place.stride;
  const [from, to] = rank < owners ? segmentBytes(data, rank, owners) : [0, 0];
  for (let at = from; at < to; at += STRETCH_BYTES) {
    const part = place.bytes.subarray(areaOf(rank) + at, areaOf(rank) + Math.min(at + STRETCH_BYTES, to));
    for (let k = 1; k < worldSize; k++) place.bytes.set(part, areaOf((rank + k) % worldSize) + at);
    await peers.pause();
  }
  tell(peers, GATHER_STEP);
  await hear(peers, GATHER_STEP);
}

/** Reduces what is from `from` to `to` in all arrays, into all of them with `gather`, or else into this rank's. */
async function reduceShare<T extends NumberArray>(
  peers: Peers,
  place: SharedPlace,
  { data, op, gather, from, to }: InPlaceOptions & { data: T; from: number; to: number },
): Promise<void> {
  const { rank } = peers, own = place.start + rank * place.stride;
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
}

/** From where to where a rank's share of an all-reduce is: whole cache lines, but for the last. */
function shareOf(byteLength: number, { rank, worldSize }: Peers): [number, number] {
  const { start, end } = segmentOf(Math.ceil(byteLength / LINE_BYTES), rank, worldSize);
  return [start * LINE_BYTES, Math.min(end * LINE_BYTES, byteLength)];
}

function segmentBytes(data: NumberArray, rank: number, owners: number): [number, number] {
  const { start, end } = segmentOf(data.length, rank, owners);
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
