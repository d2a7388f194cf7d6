import type { Exchange } from "./exchange.ts";
import { MAX_PAYLOAD_BYTES } from "./frame.ts";
import type { Peers } from "./peers.ts";
import { type NumberArray, type ReduceOp, segmentOf } from "./process_group.ts";
import { divide, reduceInto } from "./reduce.ts";

/** From here on a payload is sent without copying it, and the collective ends with a barrier that makes that safe. */
export const IN_PLACE_BYTES = 1 << 20;
/** Steps from here on belong to the barrier that ends a collective. */
const BARRIER_STEP = 0x8000_0000;
/** Steps of a gathering that follows a reduction, and of the barrier after it. */
const GATHER_STEP = 0x1000_0000, GATHERED_STEP = BARRIER_STEP + 0x1000;

/** The bytes of an array. */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function sameType<T extends NumberArray>(like: T, bytes: Uint8Array): T {
  const length = bytes.byteLength / like.BYTES_PER_ELEMENT;
  return new (like.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => T)(
    bytes.buffer,
    bytes.byteOffset,
    length,
  );
}

/**
 * Resolves when every rank has called it. Dissemination: in round k every rank hears from the one 2^k before it; log2(n)
 * rounds of one empty frame (Hensgen, Finkel and Manber, 1988).
 * @param firstStep default: the steps of a barrier that ends a collective
 */
export async function barrier(peers: Peers, firstStep = BARRIER_STEP): Promise<void> {
  const { rank, worldSize } = peers;
  for (let distance = 1, round = 0; distance < worldSize; distance *= 2, round++) {
    peers.send((rank + distance) % worldSize, firstStep + round);
    await peers.receive((rank - distance + worldSize) % worldSize, firstStep + round);
  }
}

/**
 * All-reduce of what fits into one frame, with few steps: recursive doubling, log2(n) rounds of the whole array; ranks beyond the
 * largest power of two hand theirs in before and get the result afterwards. Partners compute the same sum of the same two
 * values, so all ranks end with the same bytes.
 */
export async function allReduceSmall<T extends NumberArray>(peers: Peers, data: T, op: ReduceOp): Promise<void> {
  const { rank, worldSize } = peers;
  const bytes = bytesOf(data);
  const core = 2 ** Math.floor(Math.log2(worldSize)), HAND_IN = 0, RESULT = 100;
  if (rank >= core) {
    peers.send(rank - core, HAND_IN, bytes);
    bytes.set(await peers.receive(rank - core, RESULT));
    return;
  }
  const hasGuest = rank + core < worldSize;
  if (hasGuest) reduceInto(data, sameType(data, await peers.receive(rank + core, HAND_IN)), op);
  for (let distance = 1, round = 1; distance < core; distance *= 2, round++) {
    const partner = rank ^ distance;
    peers.send(partner, round, bytes);
    reduceInto(data, sameType(data, await peers.receive(partner, round)), op);
  }
  if (op === "mean") divide(data, worldSize);
  if (hasGuest) peers.send(rank + core, RESULT, bytes);
}

/** Options of the ring. */
export interface RingOptions {
  /** Bytes of a chunk, the unit that is passed on. */
  chunkBytes: number;
  /** How many ranks have a segment: the array is cut into as many. Default: all have one. */
  owners?: number;
}

/**
 * Reduce-scatter, and with `gather` all-gather after it, around a ring (Patarasu and Yuan, 2009): each rank sends
 * (n-1)/n of the array, twice that with the gathering. Segments travel in chunks, each passed on as soon as it is
 * reduced. Segment r is summed from rank r+1 on around to r, once, so that all ranks get the same bytes.
 */
export async function ring<T extends NumberArray>(
  peers: Peers,
  data: T,
  options: RingOptions & { op: ReduceOp; gather: boolean },
): Promise<void> {
  const { rank, worldSize } = peers, { op, gather } = options;
  const { chunks, inPlace } = cut(data, worldSize, options);
  const next = (rank + 1) % worldSize, previous = (rank + worldSize - 1) % worldSize;
  let sent = 0, received = 0;
  const pass = (chunk: T) => peers.send(next, sent++, bytesOf(chunk), inPlace);

  for (const chunk of chunks(rank - 1)) pass(chunk);
  for (let step = 0; step < worldSize - 1; step++) {
    const isWhole = step === worldSize - 2;
    for (const chunk of chunks(rank - step - 2)) {
      reduceInto(chunk, sameType(chunk, await peers.receive(previous, received++)), op);
      if (isWhole && op === "mean") divide(chunk, worldSize);
      if (!isWhole || gather) pass(chunk);
    }
  }
  for (let step = 0; gather && step < worldSize - 1; step++) {
    for (const chunk of chunks(rank - step - 1)) {
      bytesOf(chunk).set(await peers.receive(previous, received++));
      if (step < worldSize - 2) pass(chunk);
    }
  }
  if (inPlace) await barrier(peers);
}

/** The second half of a ring by itself, after something was done to the segments: every rank gets the others'. */
export async function ringGather<T extends NumberArray>(peers: Peers, data: T, options: RingOptions): Promise<void> {
  const { rank, worldSize } = peers, { chunks, inPlace } = cut(data, worldSize, options);
  const next = (rank + 1) % worldSize, previous = (rank + worldSize - 1) % worldSize;
  let sent = GATHER_STEP, received = GATHER_STEP;
  const pass = (chunk: T) => peers.send(next, sent++, bytesOf(chunk), inPlace);
  for (const chunk of chunks(rank)) pass(chunk);
  for (let step = 0; step < worldSize - 1; step++) {
    for (const chunk of chunks(rank - step - 1)) {
      bytesOf(chunk).set(await peers.receive(previous, received++));
      if (step < worldSize - 2) pass(chunk);
    }
  }
  if (inPlace) await barrier(peers, GATHERED_STEP);
}

/** How a ring cuts up an array: into a segment for each owner, and those into chunks. */
function cut<T extends NumberArray>(
  data: T,
  worldSize: number,
  { chunkBytes, owners = worldSize }: RingOptions,
): { chunks: (segment: number) => Generator<T>; inPlace: boolean } {
  const perChunk = Math.max(1, Math.floor(Math.min(chunkBytes, MAX_PAYLOAD_BYTES) / data.BYTES_PER_ELEMENT));
  const chunks = function* (segment: number): Generator<T> {
    const owner = (segment + 2 * worldSize) % worldSize;
    if (owner >= owners) return;
    const { start, end } = segmentOf(data.length, owner, owners);
    for (let at = start; at < end; at += perChunk) yield data.subarray(at, Math.min(at + perChunk, end)) as T;
  };
  return { chunks, inPlace: data.byteLength >= IN_PLACE_BYTES };
}

/**
 * The root's bytes to all. What is large goes from rank to rank in chunks (each sends it once); what is small down a binomial tree
 * (log2(n) rounds). Ends with a barrier, so that a root does not run ahead of ranks that called something else.
 * @param data the bytes, on every rank: those of the others are overwritten
 */
export async function broadcastBytes(exchange: Exchange, data: Uint8Array, root: number): Promise<void> {
  const { worldSize } = exchange;
  const isLarge = data.byteLength > MAX_PAYLOAD_BYTES / 4;
  const relative = (exchange.rank - root + worldSize) % worldSize;
  const { parent, children } = isLarge ? chain(relative, worldSize) : binomial(relative, worldSize);
  const absolute = (one: number) => (one + root) % worldSize;
  let step = 0;
  for (const chunk of pieces(data)) {
    if (relative !== 0) chunk.set(await exchange.receive(absolute(parent), step));
    for (const child of children) exchange.send(absolute(child), step, chunk, isLarge);
    step++;
  }
  await barrier(exchange);
}

/** The root's bytes to all, where only the root knows how many they are: the first frame's head tells. */
export async function broadcastUnknown(
  exchange: Exchange,
  bytes: Uint8Array,
  options: { root: number; maxBytes: number },
): Promise<Uint8Array> {
  const { root } = options, { worldSize } = exchange;
  const relative = (exchange.rank - root + worldSize) % worldSize;
  const { parent, children } = binomial(relative, worldSize);
  const absolute = (one: number) => (one + root) % worldSize;
  const size = new Float64Array([bytes.byteLength]);
  if (relative !== 0) {
    bytesOf(size).set(await exchange.receive(absolute(parent), 0));
    bytes = new Uint8Array(checkSize(size[0], options.maxBytes, root));
  }
  for (const child of children) exchange.send(absolute(child), 0, bytesOf(size));
  let step = 1;
  for (const chunk of pieces(bytes)) {
    if (relative !== 0) chunk.set(await exchange.receive(absolute(parent), step));
    for (const child of children) exchange.send(absolute(child), step, chunk);
    step++;
  }
  await barrier(exchange);
  return bytes;
}

/**
 * Every rank's bytes, by rank, on those in `receivers`. Each rank sends its own to each of them directly: one round, (n-1) times
 * its size. Sizes come with the heads.
 */
export async function gatherBytes(
  exchange: Exchange,
  mine: Uint8Array,
  options: { receivers: readonly number[]; maxBytes: number; elementBytes: number },
): Promise<Uint8Array[]> {
  const { rank, worldSize } = exchange, { receivers, maxBytes, elementBytes } = options;
  const inPlace = mine.byteLength >= IN_PLACE_BYTES;
  let step = 0;
  for (const chunk of pieces(mine)) {
    for (let k = 0; k < receivers.length; k++) {
      const to = receivers[(rank + k) % receivers.length];
      if (to !== rank) exchange.send(to, step, chunk, inPlace);
    }
    step++;
  }
  const all: Uint8Array[] = Array(worldSize);
  if (receivers.includes(rank)) {
    all[rank] = mine;
    let missing = worldSize - 1;
    const got = new Float64Array(worldSize);
    while (missing > 0) {
      const payload = await exchange.receiveAny(BARRIER_STEP);
      const { source, step, count } = exchange.arrived;
      all[source] ??= new Uint8Array(checkSize(count * elementBytes, maxBytes, source));
      const offset = step * MAX_PAYLOAD_BYTES;
      if (offset + payload.byteLength > all[source].byteLength) {
        throw new Error(`rank ${source} sent more than the ${all[source].byteLength} bytes it announced`);
      }
      all[source].set(payload, offset);
      got[source] += payload.byteLength;
      if (got[source] === all[source].byteLength) missing--;
    }
  }
  // Ranks that only send would not notice that others called something else; and what was sent in place must have arrived.
  await barrier(exchange);
  return all;
}

function* pieces(data: Uint8Array): Generator<Uint8Array> {
  if (data.byteLength === 0) yield data;
  for (let at = 0; at < data.byteLength; at += MAX_PAYLOAD_BYTES) yield data.subarray(at, at + MAX_PAYLOAD_BYTES);
}

function checkSize(size: number, maxBytes: number, rank: number): number {
  if (!Number.isInteger(size) || size < 0 || size > maxBytes) {
    throw new RangeError(`rank ${rank} announced ${size} bytes; at most ${maxBytes} are taken`);
  }
  return size;
}

interface Place {
  parent: number;
  children: number[];
}

function chain(relative: number, worldSize: number): Place {
  return { parent: relative - 1, children: relative + 1 < worldSize ? [relative + 1] : [] };
}

function binomial(relative: number, worldSize: number): Place {
  const children: number[] = [];
  let bit = 1;
  for (; bit < worldSize && (relative & bit) === 0; bit *= 2) {
    if (relative + bit < worldSize) children.unshift(relative + bit);
  }
  return { parent: relative - bit, children };
}
