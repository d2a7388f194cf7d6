import type { WaitOptions } from "./store.ts";

/** How values of several ranks become one. `mean` of integers is rounded toward zero. */
export type ReduceOp = "sum" | "mean" | "min" | "max" | "product";

/** What the collectives reduce. */
export type NumberArray = Float32Array | Float64Array | Int32Array;

/** What the collectives move. */
export type DataArray = NumberArray | Uint8Array;

/** What a collective is for. */
export interface PurposeOptions {
  /**
   * What it is for, in a few words: `"the gradients"`. Ranks whose purposes differ, though their collectives are of one kind, get a
   * CollectiveMismatchError, which names them. Costs no message. Default: nothing, which is a purpose too.
   */
  purpose?: string;
}

/** Options of all collectives. */
export interface CollectiveOptions extends WaitOptions, PurposeOptions {}

/** Options of the reducing collectives. */
export interface ReduceOptions extends CollectiveOptions {
  /** Default: `"sum"`. */
  op?: ReduceOp;
}

/** The kinds of arrays that the collectives reduce, to make one of. */
export type NumberArrayType<T extends NumberArray> = new (buffer: ArrayBuffer, offset: number, length: number) => T;

/** What a shared array is mostly for. */
export type SharedArrayUse = "reduce" | "gather";

/** Options of {@linkcode ProcessGroup.sharedArray}. */
export interface SharedArrayOptions extends CollectiveOptions {
  /**
   * It decides from which size on sharing is faster: half a MiB (on several hosts: 64 KiB) for all-reduce and reduce-scatter (`"reduce"`), 16 KiB (on several
   * hosts: never) for all-gather (`"gather"`). What is shared can be used for both. Default: `"reduce"`.
   */
  use?: SharedArrayUse;
}

/**
 * Numbers that collectives do not have to copy into messages: see {@linkcode ProcessGroup.sharedArray}.
 *
 * @example
 * ```ts
 * import { joinMemoryGroup } from "./join_memory_group.ts";
 *
 * const ranks = joinMemoryGroup(2);
 * await Promise.all(ranks.map(async (group) => {
 *   using gradients = await group.sharedArray(Float32Array, 1_000_000);
 *   for (let step = 0; step < 3; step++) {
 *     gradients.data.fill(group.rank + step);
 *     await group.allReduce(gradients.data);
 *     if (gradients.data[999_999] !== 1 + 2 * step) throw new Error("expected the sum over both ranks");
 *   }
 * }));
 * await Promise.all(ranks.map((group) => group[Symbol.asyncDispose]()));
 * ```
 */
export interface SharedArray<T extends NumberArray> extends Disposable {
  /**
   * Zeros at first. If it is shared it is a view, whose buffer holds the other ranks' numbers too, and it becomes zeros, which belong to this rank
   * alone, when the array is disposed of or the group is left. After a reduction that failed other ranks may still write to it.
   */
  readonly data: T;
  /** Whether it lies in memory that the ranks share; otherwise it is an ordinary array. The same on every rank. */
  readonly isShared: boolean;
}

/** What all-reduces have cost between hosts so far. */
export interface HostTraffic {
  /** Seconds in which this rank's part between hosts was under way, with those in which it waited for slow ranks there. */
  readonly seconds: number;
  /** What this rank's host has sent to the others. */
  readonly bytes: number;
  /** Messages that had to wait for each other, one way. */
  readonly hops: number;
}

/** How fast another host is reached. */
export interface HostSpeed {
  readonly host: string;
  /** There and back, of an empty message. */
  readonly roundTripMs: number;
  readonly bytesPerSecond: number;
}

/** What a group of ranks on several hosts knows of the way between them. */
export interface BetweenHosts {
  readonly traffic: HostTraffic;
  /**
   * Measures, as a collective, how fast the host of rank 0 reaches the others: five round trips to each, then `bytes`, as all-reduces spread them over its ranks; at most 1 MiB a rank.
   * @returns on rank 0 the speeds, on the others nothing
   */
  measure(bytes: number): Promise<HostSpeed[]>;
}

/** Options of the collectives with a source or a destination. */
export interface RootOptions extends CollectiveOptions {
  /** The rank that sends (broadcast) or receives (gather). Default: 0. */
  root?: number;
}

/**
 * The ranks that train together, and what they can do as one. Every rank calls the same collectives in the same order;
 * a call may be made before the last one finished, they are carried out in turn. A collective whose kind, sequence, size, type or
 * purpose differs between ranks rejects with CollectiveMismatchError on all of them; a failed rank rejects with RankFailedError.
 * It knows typed arrays and bytes, no tensors.
 */
export interface ProcessGroup extends AsyncDisposable {
  readonly rank: number;
  readonly worldSize: number;
  /** The way between hosts; undefined if all ranks are on one. */
  readonly betweenHosts?: BetweenHosts;
  /** Reduces in place; afterwards every rank holds the same bytes. Returns `data`. */
  allReduce<T extends NumberArray>(data: T, options?: ReduceOptions): Promise<T>;
  /** Reduces `data` and returns this rank's segment of it: `segmentOf(data.length, rank, worldSize)`. `data` is scratch afterwards. */
  reduceScatter<T extends NumberArray>(data: T, options?: ReduceOptions): Promise<T>;
  /**
   * Makes an array to reduce or to gather again and again, in memory that the ranks of a host share. Every rank calls it, with the same type and
   * length. An all-reduce or reduce-scatter of it, or of the same part of it on every rank, then copies nothing on one host: each rank reduces its share of
   * all ranks' arrays where they lie; on several hosts only results are copied. Of an all-gather on one host, of parts that begin alike and may have any length, each rank copies the
   * others' once. Ranks that call with different parts, or some with an ordinary array, get a CollectiveMismatchError. When such a call is over on a rank, it
   * may write to its array again.
   *
   * It is an ordinary array, as fast as any, if it is small ({@linkcode SharedArrayOptions.use}), a rank is alone on its host, ranks share no memory, or
   * /dev/shm has no room for it on one of the hosts. The caller disposes of it, after which its memory is given back as soon as all reductions called before are over;
   * the group disposes of what is left.
   *
   * @param length elements
   * @throws RangeError if the length is no whole number; TypeError for another type
   */
  sharedArray<T extends NumberArray>(
    type: NumberArrayType<T>,
    length: number,
    options?: SharedArrayOptions,
  ): Promise<SharedArray<T>>;
  /** Every rank's array, by rank: `data` itself for this one. Lengths may differ, the type may not. */
  allGather<T extends DataArray>(data: T, options?: CollectiveOptions): Promise<T[]>;
  /** Overwrites `data` with the root's, in place. Returns `data`. */
  broadcast<T extends DataArray>(data: T, options?: RootOptions): Promise<T>;
  /** The root's value on every rank. Values: JSON, typed arrays, undefined, NaN and infinities. */
  broadcastObject<T>(value: T, options?: RootOptions): Promise<T>;
  /** Every rank's value on the root, by rank; undefined on the others. */
  gatherObjects<T>(value: T, options?: RootOptions): Promise<T[] | undefined>;
  /** Every rank's value on every rank, by rank. */
  allGatherObjects<T>(value: T, options?: CollectiveOptions): Promise<T[]>;
  /** Resolves when every rank has called it. */
  barrier(options?: CollectiveOptions): Promise<void>;
  /** Tells the other ranks that this one failed: their collectives, pending and later, reject with RankFailedError. */
  abort(reason: Error): Promise<void>;
}

/** The segment [start, end) of `length` elements that belongs to `rank`: the first `length % worldSize` ranks hold one more. */
export function segmentOf(length: number, rank: number, worldSize: number): { start: number; end: number } {
  const size = Math.floor(length / worldSize), longer = length % worldSize;
  const start = rank * size + Math.min(rank, longer);
  return { start, end: start + size + (rank < longer ? 1 : 0) };
}
