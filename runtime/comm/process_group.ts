import type { WaitOptions } from "./store.ts";

/** How values of several ranks become one. `mean` of integers is rounded toward zero. */
export type ReduceOp = "sum" | "mean" | "min" | "max" | "product";

/** What the collectives reduce. */
export type NumberArray = Float32Array | Float64Array | Int32Array;

/** What the collectives move. */
export type DataArray = NumberArray | Uint8Array;

/** Options of the reducing collectives. */
export interface ReduceOptions extends WaitOptions {
  /** Default: `"sum"`. */
  op?: ReduceOp;
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
export interface RootOptions extends WaitOptions {
  /** The rank that sends (broadcast) or receives (gather). Default: 0. */
  root?: number;
}

/**
 * The ranks that train together, and what they can do as one. Every rank calls the same collectives in the same order;
 * a call may be made before the last one finished, they are carried out in turn. A collective whose kind, sequence, size or type
 * differs between ranks rejects with CollectiveMismatchError on all of them; a failed rank rejects with RankFailedError.
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
  /** Every rank's array, by rank. Lengths may differ, the type may not. */
  allGather<T extends DataArray>(data: T, options?: WaitOptions): Promise<T[]>;
  /** Overwrites `data` with the root's, in place. Returns `data`. */
  broadcast<T extends DataArray>(data: T, options?: RootOptions): Promise<T>;
  /** The root's value on every rank. Values: JSON, typed arrays, undefined, NaN and infinities. */
  broadcastObject<T>(value: T, options?: RootOptions): Promise<T>;
  /** Every rank's value on the root, by rank; undefined on the others. */
  gatherObjects<T>(value: T, options?: RootOptions): Promise<T[] | undefined>;
  /** Every rank's value on every rank, by rank. */
  allGatherObjects<T>(value: T, options?: WaitOptions): Promise<T[]>;
  /** Resolves when every rank has called it. */
  barrier(options?: WaitOptions): Promise<void>;
  /** Tells the other ranks that this one failed: their collectives, pending and later, reject with RankFailedError. */
  abort(reason: Error): Promise<void>;
}

/** The segment [start, end) of `length` elements that belongs to `rank`: the first `length % worldSize` ranks hold one more. */
export function segmentOf(length: number, rank: number, worldSize: number): { start: number; end: number } {
  const size = Math.floor(length / worldSize), longer = length % worldSize;
  const start = rank * size + Math.min(rank, longer);
  return { start, end: start + size + (rank < longer ? 1 : 0) };
}
