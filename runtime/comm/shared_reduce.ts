import { bytesOf } from "./algorithms.ts";
import type { Peers } from "./peers.ts";
import { type NumberArray, type ReduceOp, segmentOf } from "./process_group.ts";
import { LINE_BYTES, type SharedArena } from "./shared_arena.ts";
import { hear, tell } from "./turns.ts";

/** Options of {@linkcode sharedReduce}. */
export interface SharedReduceOptions {
  op: ReduceOp;
  /** Every rank gets the whole result; otherwise its segment alone. */
  gather: boolean;
  /** How many ranks have a segment; then what is not gathered is never reduced as a whole. Default: all have one. */
  owners?: number;
}

/** A chunk is reduced so many steps after it was written, and read as many after that: turns travel in the meantime. */
const LAG = 2;
/** The turns of a gathering that follows a reduction. */
const GATHER_STEP = 0x1000_0000;

/** All-reduce or reduce-scatter in shared memory that is prepared for `data.byteLength`. ZeroMQ carries only the turns. */
export async function sharedReduce<T extends NumberArray>(
  peers: Peers,
  arena: SharedArena,
  options: SharedReduceOptions & { data: T },
): Promise<void> {
  if (options.data.byteLength <= arena.wholeBytes) await reduceWhole(peers, arena, options);
  else await reduceChunks(peers, arena, options);
}

/**
 * Gives all ranks the segments that their owners have, after a reduce-scatter and what was done to them since. Chunk by chunk: in step t the owners write
 * chunk t, all read t-2, and tell each other.
 */
export async function sharedGather<T extends NumberArray>(
  peers: Peers,
  arena: SharedArena,
  options: { data: T; owners: number },
): Promise<void> {
  const { rank, worldSize } = peers, { data, owners } = options, { bytes } = arena, mine = bytesOf(data);
  const { chunks, pieceBytes, pieceOf } = cut(data, arena, { worldSize, owners });
  const slotOf = arena.nextChunkSlots(chunks);
  const placeOf = (chunk: number, owner: number) => arena.areaOf(owner) + slotOf(chunk) + owner * pieceBytes;
  for (let t = 0; t < chunks + LAG; t++) {
    if (t >= LAG) {
      await hear(peers, GATHER_STEP + t - LAG);
      for (let owner = 0; owner < owners; owner++) {
        if (owner === rank) continue;
        const [from, to] = pieceOf(t - LAG, owner), at = placeOf(t - LAG, owner);
        mine.set(bytes.subarray(at, at + to - from), from);
      }
    }
    if (t < chunks) {
      const [from, to] = pieceOf(t, rank);
      if (to > from) bytes.set(mine.subarray(from, to), placeOf(t, rank));
      tell(peers, GATHER_STEP + t);
    }
  }
}

/** Each rank writes its array, waits for the others to have done so, and reduces all of them by itself: one turn. */
async function reduceWhole(
  peers: Peers,
  arena: SharedArena,
  options: SharedReduceOptions & { data: NumberArray },
): Promise<void> {
  const { rank, worldSize } = peers, { data, op, gather } = options, { bytes } = arena;
  const mine = bytesOf(data), slot = arena.nextWholeSlot();
  bytes.set(mine, arena.areaOf(rank) + slot);
  tell(peers, 0);
  const { start, end } = gather ? { start: 0, end: data.length } : segmentOf(data.length, rank, worldSize);
  const from = start * data.BYTES_PER_ELEMENT, length = end * data.BYTES_PER_ELEMENT - from;
  const target = arena.areaOf(rank) + arena.resultAt;
  await hear(peers, 0);
  arena.kernels.reduce(data, op, { target, source: slot + from, bytes: length });
  mine.set(bytes.subarray(target, target + length), from);
}

/**
 * Chunk by chunk, each made of a piece of every rank's segment: each rank writes the chunk, reduces its own piece of it, and reads
 * the others'. In step t chunk t is written, t-2 reduced and t-4 read, and the ranks tell each other; before step t they
 * have heard of step t-2, so that nobody waits for a turn that travels.
 */
async function reduceChunks(
  peers: Peers,
  arena: SharedArena,
  options: SharedReduceOptions & { data: NumberArray },
): Promise<void> {
  const { rank, worldSize } = peers, { data, op, gather, owners = worldSize } = options, { bytes } = arena;
  const mine = bytesOf(data);
  const { chunks, pieceBytes, pieceOf } = cut(data, arena, { worldSize, owners });
  const slotOf = arena.nextChunkSlots(chunks);
  const own = arena.areaOf(rank);
  const read = (chunk: number, r: number) => {
    const [from, to] = pieceOf(chunk, r);
    const at = arena.areaOf(r) + slotOf(chunk) + r * pieceBytes;
    mine.set(bytes.subarray(at, at + to - from), from);
  };
  const isChunk = (t: number) => t >= 0 && t < chunks;
  const isTurn = (t: number) => isChunk(t) || isChunk(t - LAG);
  const steps = gather ? chunks + 2 * LAG : chunks + LAG;
  for (let t = 0; t < steps; t++) {
    if (isTurn(t - LAG)) await hear(peers, t - LAG);
    if (isChunk(t - LAG)) {
      const [from, to] = pieceOf(t - LAG, rank), source = slotOf(t - LAG) + rank * pieceBytes;
      arena.kernels.reduce(data, op, { target: own + source, source, bytes: to - from });
      if (!gather) read(t - LAG, rank);
    }
    if (isChunk(t)) {
      const slot = own + slotOf(t);
      for (let r = 0; r < owners; r++) {
        const [from, to] = pieceOf(t, r);
        bytes.set(mine.subarray(from, to), slot + r * pieceBytes);
      }
    }
    if (isTurn(t) && t + LAG < steps) tell(peers, t);
    if (gather && isChunk(t - 2 * LAG)) { for (let r = 0; r < owners; r++) read(t - 2 * LAG, r); }
  }
}

/** How an array is cut up: a chunk is made of a piece of every owner's segment. `pieceOf` tells from where to where in the array a piece is, in bytes. */
function cut(
  data: NumberArray,
  arena: SharedArena,
  { worldSize, owners }: { worldSize: number; owners: number },
): { chunks: number; pieceBytes: number; pieceOf: (chunk: number, rank: number) => [number, number] } {
  const elementBytes = data.BYTES_PER_ELEMENT;
  const segments = Array.from(
    { length: worldSize },
    (_, r) => r < owners ? segmentOf(data.length, r, owners) : { start: 0, end: 0 },
  );
  const pieceBytes = Math.floor(arena.chunkBytes / owners / LINE_BYTES) * LINE_BYTES;
  const chunks = Math.ceil((segments[0].end - segments[0].start) * elementBytes / pieceBytes);
  return {
    chunks,
    pieceBytes,
    pieceOf: (chunk, r) => {
      const end = segments[r].end * elementBytes;
      const from = Math.min(segments[r].start * elementBytes + chunk * pieceBytes, end);
      return [from, Math.min(from + pieceBytes, end)];
    },
  };
}
