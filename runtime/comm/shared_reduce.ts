import { bytesOf } from "./algorithms.ts";
import type { Exchange } from "./exchange.ts";
import { type NumberArray, type ReduceOp, segmentOf } from "./process_group.ts";
import { LINE_BYTES, type SharedArena } from "./shared_arena.ts";

/** Options of {@linkcode sharedReduce}. */
export interface SharedReduceOptions {
  op: ReduceOp;
  /** Every rank gets the whole result; otherwise its segment alone. */
  gather: boolean;
}

/** A chunk is reduced so many steps after it was written, and read as many after that: turns travel in the meantime. */
const LAG = 2;

/** All-reduce or reduce-scatter in shared memory that is prepared for `data.byteLength`. ZeroMQ carries only the turns. */
export async function sharedReduce<T extends NumberArray>(
  exchange: Exchange,
  arena: SharedArena,
  options: SharedReduceOptions & { data: T },
): Promise<void> {
  if (options.data.byteLength <= arena.wholeBytes) await reduceWhole(exchange, arena, options);
  else await reduceChunks(exchange, arena, options);
}

/** Each rank writes its array, waits for the others to have done so, and reduces all of them by itself: one turn. */
async function reduceWhole(
  exchange: Exchange,
  arena: SharedArena,
  options: SharedReduceOptions & { data: NumberArray },
): Promise<void> {
  const { rank, worldSize } = exchange, { data, op, gather } = options, { bytes } = arena;
  const mine = bytesOf(data), slot = arena.nextWholeSlot();
  bytes.set(mine, arena.areaOf(rank) + slot);
  tell(exchange, 0);
  const { start, end } = gather ? { start: 0, end: data.length } : segmentOf(data.length, rank, worldSize);
  const from = start * data.BYTES_PER_ELEMENT, length = end * data.BYTES_PER_ELEMENT - from;
  const target = arena.areaOf(rank) + arena.resultAt;
  await hear(exchange, 0);
  arena.kernels.reduce(data, op, { target, source: slot + from, bytes: length });
  mine.set(bytes.subarray(target, target + length), from);
}

/**
 * Chunk by chunk, each made of a piece of every rank's segment: each rank writes the chunk, reduces its own piece of it, and reads
 * the others'. In step t chunk t is written, t-2 reduced and t-4 read, and the ranks tell each other; before step t they
 * have heard of step t-2, so that nobody waits for a turn that travels.
 */
async function reduceChunks(
  exchange: Exchange,
  arena: SharedArena,
  options: SharedReduceOptions & { data: NumberArray },
): Promise<void> {
  const { rank, worldSize } = exchange, { data, op, gather } = options, { bytes } = arena;
  const elementBytes = data.BYTES_PER_ELEMENT, mine = bytesOf(data);
  const segments = Array.from({ length: worldSize }, (_, r) => segmentOf(data.length, r, worldSize));
  const pieceBytes = Math.floor(arena.chunkBytes / worldSize / LINE_BYTES) * LINE_BYTES;
  const chunks = Math.ceil((segments[0].end - segments[0].start) * elementBytes / pieceBytes);
  const slotOf = arena.nextChunkSlots(chunks);
  const own = arena.areaOf(rank);
  /** Where the piece of a rank's segment in a chunk lies in the array: from, to. */
  const pieceOf = (chunk: number, r: number): [number, number] => {
    const end = segments[r].end * elementBytes;
    const from = Math.min(segments[r].start * elementBytes + chunk * pieceBytes, end);
    return [from, Math.min(from + pieceBytes, end)];
  };
  const read = (chunk: number, r: number) => {
    const [from, to] = pieceOf(chunk, r);
    const at = arena.areaOf(r) + slotOf(chunk) + r * pieceBytes;
    mine.set(bytes.subarray(at, at + to - from), from);
  };
  const isChunk = (t: number) => t >= 0 && t < chunks;
  const isTurn = (t: number) => isChunk(t) || isChunk(t - LAG);
  const steps = gather ? chunks + 2 * LAG : chunks + LAG;
  for (let t = 0; t < steps; t++) {
    if (isTurn(t - LAG)) await hear(exchange, t - LAG);
    if (isChunk(t - LAG)) {
      const [from, to] = pieceOf(t - LAG, rank), source = slotOf(t - LAG) + rank * pieceBytes;
      arena.kernels.reduce(data, op, { target: own + source, source, bytes: to - from });
      if (!gather) read(t - LAG, rank);
    }
    if (isChunk(t)) {
      const slot = own + slotOf(t);
      for (let r = 0; r < worldSize; r++) {
        const [from, to] = pieceOf(t, r);
        bytes.set(mine.subarray(from, to), slot + r * pieceBytes);
      }
    }
    if (isTurn(t) && t + LAG < steps) tell(exchange, t);
    if (gather && isChunk(t - 2 * LAG)) { for (let r = 0; r < worldSize; r++) read(t - 2 * LAG, r); }
  }
}

/** Tells all others that this rank has come to a step. */
function tell(exchange: Exchange, step: number): void {
  const { rank, worldSize } = exchange;
  for (let k = 1; k < worldSize; k++) exchange.send((rank + k) % worldSize, step);
}

/** Waits until all others have come to a step. */
async function hear(exchange: Exchange, step: number): Promise<void> {
  const { rank, worldSize } = exchange;
  for (let k = 1; k < worldSize; k++) await exchange.receive((rank + worldSize - k) % worldSize, step);
}
