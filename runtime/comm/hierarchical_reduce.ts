import { allReduceSmall, bytesOf, ring, ringGather } from "./algorithms.ts";
import type { HostLayout } from "./host_layout.ts";
import { gatherInPlace, scatterInPlace } from "./in_place_reduce.ts";
import { type Peers, Subset } from "./peers.ts";
import { type HostTraffic, type NumberArray, type ReduceOp, segmentOf } from "./process_group.ts";
import { divide } from "./reduce.ts";
import type { SharedArena } from "./shared_arena.ts";
import type { SharedPlace } from "./shared_arrays.ts";
import { sharedGather, sharedReduce } from "./shared_reduce.ts";

/** What goes between hosts comes after what the ranks of a host do first, and before they hand out the result. */
const FAR_STEP = 0x0800_0000, HAND_OUT = 0x1000_0000;

/** Counts what goes between hosts. */
export class TrafficMeter implements HostTraffic {
  seconds = 0;
  bytes = 0;
  hops = 0;
  readonly #now: () => number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts a part between hosts, of which each host has as many at the same time as it has `carriers`. */
  async count(far: Subset, cost: { carriers: number; hops: number }, part: () => Promise<void>): Promise<void> {
    const begun = this.#now(), sentBefore = far.sentBytes;
    await part();
    this.seconds += (this.#now() - begun) / 1000;
    this.bytes += (far.sentBytes - sentBefore) * cost.carriers;
    this.hops += cost.hops;
  }
}

/** Options of {@linkcode hierarchicalAllReduce}. */
export interface HierarchicalOptions {
  op: ReduceOp;
  layout: HostLayout;
  /** Memory that the ranks of this host share. Default: none, they send each other everything. */
  arena: SharedArena | undefined;
  /** Where the array lies in memory that the ranks of this host share. Default: it does not. */
  place?: SharedPlace;
  /** Arrays, and segments, up to this size go in few steps. */
  smallBytes: number;
  /** How segments are cut up on their way around a ring. */
  chunkBytes: number;
  /** Where it is counted what goes between hosts. */
  traffic: TrafficMeter;
}

/**
 * All-reduce of ranks on several hosts, so that between two hosts each element travels once each way, however many ranks they have.
 *
 * What is long is cut into as many segments as the smallest host has ranks. The ranks of a host reduce its part of segment i into the one with
 * place i; that reduces it with those of the same place on the other hosts, all segments at the same time, and hands it to the ranks
 * of its host. What is short is reduced on each host, then between the first ranks of the hosts, which hand out the result.
 *
 * Every element is computed once, or by partners from the same two values, and copied from there: all ranks end with the same bytes.
 */
export async function hierarchicalAllReduce<T extends NumberArray>(
  all: Peers,
  data: T,
  options: HierarchicalOptions,
): Promise<void> {
  const { layout, smallBytes } = options;
  const near = new Subset(all, layout.near), far = layout.far && new Subset(all, layout.far, FAR_STEP);
  // The mean is over all ranks: it is made of the sum at the end.
  const op = options.op === "mean" ? "sum" : options.op;
  const finish = (part: NumberArray) => {
    if (options.op === "mean") divide(part, all.worldSize);
  };
  if (data.byteLength <= smallBytes) await reduceShort({ near, far }, data, { ...options, op, finish });
  else await reduceLong({ near, far }, data, { ...options, op, finish });
}

interface Circles {
  near: Peers;
  far: Subset | undefined;
}

interface InnerOptions {
  op: ReduceOp;
  /** Makes the result of what was reduced over all hosts. */
  finish: (part: NumberArray) => void;
}

async function reduceShort(
  { near, far }: Circles,
  data: NumberArray,
  { op, finish, traffic }: HierarchicalOptions & InnerOptions,
): Promise<void> {
  const bytes = bytesOf(data);
  await allReduceSmall(near, data, op);
  if (near.rank === 0) {
    await traffic.count(far!, { carriers: 1, hops: hopsOfSmall(far!) }, () => allReduceSmall(far!, data, op));
    finish(data);
    for (let to = 1; to < near.worldSize; to++) near.send(to, HAND_OUT, bytes);
  } else {
    bytes.set(await near.receive(0, HAND_OUT));
  }
}

async function reduceLong(
  { near, far }: Circles,
  data: NumberArray,
  options: HierarchicalOptions & InnerOptions,
): Promise<void> {
  const { op, layout, arena, place, smallBytes, chunkBytes, finish, traffic } = options, owners = layout.carriers;
  const shares = !place && near.worldSize > 1 && arena !== undefined && await arena.prepare(near, data.byteLength);
  if (place) await scatterInPlace(near, place, { data, op, owners });
  else if (shares) await sharedReduce(near, arena, { data, op, gather: false, owners });
  else if (near.worldSize > 1) await ring(near, data, { op, chunkBytes, gather: false, owners });
  if (far) {
    const { start, end } = segmentOf(data.length, near.rank, owners), segment = data.subarray(start, end);
    const isSmall = segment.byteLength <= smallBytes;
    const hops = isSmall ? hopsOfSmall(far) : 2 * (far.worldSize - 1);
    await traffic.count(
      far,
      { carriers: owners, hops },
      () => isSmall ? allReduceSmall(far, segment, op) : ring(far, segment, { op, chunkBytes, gather: true }),
    );
    finish(segment);
  }
  if (place) await gatherInPlace(near, place, { data, owners });
  else if (shares) await sharedGather(near, arena, { data, owners });
  else if (near.worldSize > 1) await ringGather(near, data, { chunkBytes, owners });
}

/** Messages of {@linkcode allReduceSmall} that wait for each other. */
function hopsOfSmall({ worldSize }: Peers): number {
  const rounds = Math.floor(Math.log2(worldSize));
  return 2 ** rounds === worldSize ? rounds : rounds + 2;
}
