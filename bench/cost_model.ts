/**
 * What an all-reduce takes, in closed form: how many messages wait for each other, how many bytes a rank sends and reduces, and what each of them costs. The
 * forms are those of docs/collectives.md; `bench/scaling.ts` fits the prices to what it measured.
 *
 * Sources: P. Patarasu and X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009 (ring); R. Thakur, R. Rabenseifner and
 * W. Gropp, "Optimization of collective communication operations in MPICH", 2005 (recursive doubling, and the model of cost).
 */

/** What a rank has to do. */
export interface Work {
  /** Messages that wait for each other. In shared memory: the frames of a rank's turns. */
  readonly hops: number;
  /** Bytes that the busiest rank sends; in shared memory: copies. */
  readonly sentBytes: number;
  readonly reducedBytes: number;
}

/** What that costs, in seconds. */
export interface Price {
  readonly hop: number;
  readonly byte: number;
  readonly reducedByte: number;
}

/** How many reduce how much. */
export interface Reduction {
  readonly ranks: number;
  /** Of the array. */
  readonly bytes: number;
}

/** Arrays, and segments, up to this size go by recursive doubling. */
export const SMALL_BYTES = 64 * 1024;
const IN_PLACE_BYTES = 1 << 20, SHARED_BYTES = 4 << 20, PAGE_BYTES = 4096, LINE_BYTES = 64, LAG = 2;

const NONE: Work = { hops: 0, sentBytes: 0, reducedBytes: 0 };

/** Around a ring: reduce-scatter, then all-gather, and from 1 MiB on a barrier. */
export function ringWork({ ranks, bytes }: Reduction): Work {
  if (ranks === 1) return NONE;
  const barrier = bytes >= IN_PLACE_BYTES ? Math.ceil(Math.log2(ranks)) : 0, part = (ranks - 1) / ranks * bytes;
  return { hops: 2 * (ranks - 1) + barrier, sentBytes: 2 * part, reducedBytes: part };
}

/**
 * Up a tree by recursive doubling: the whole array in each round; ranks beyond the largest power of two hand in
 * and get back, which is at most two hops more.
 */
export function treeWork({ ranks, bytes }: Reduction): Work {
  const rounds = Math.floor(Math.log2(ranks)), guests = 2 ** rounds < ranks ? 1 : 0;
  const moved = (rounds + guests) * bytes;
  return { hops: rounds + 2 * guests, sentBytes: moved, reducedBytes: moved };
}

/**
 * In memory that the ranks of a host share, where a turn is a frame to each other rank.
 * @param part of an all-reduce: the reduce-scatter alone, or the all-gather. Default: all of it
 */
export function sharedWork({ ranks, bytes }: Reduction, part: "all" | "scatter" | "gather" = "all"): Work {
  if (ranks === 1) return NONE;
  const others = ranks - 1;
  if (part === "all" && bytes <= wholeBytes(ranks)) {
    return { hops: others, sentBytes: 2 * bytes, reducedBytes: ranks * bytes };
  }
  const piece = Math.floor(chunkBytes(ranks) / ranks / LINE_BYTES) * LINE_BYTES;
  const chunks = Math.ceil(bytes / ranks / piece);
  switch (part) {
    case "all":
      return { hops: (chunks + LAG) * others, sentBytes: 2 * bytes, reducedBytes: bytes };
    case "scatter":
      return { hops: chunks * others, sentBytes: bytes * (ranks + 1) / ranks, reducedBytes: bytes };
    case "gather":
      return { hops: chunks * others, sentBytes: bytes, reducedBytes: 0 };
  }
}

/** Of a chunk of a long array. */
function chunkBytes(ranks: number): number {
  return Math.ceil(Math.floor(SHARED_BYTES / ranks) / PAGE_BYTES) * PAGE_BYTES;
}

/** What every rank of a host reduces as a whole, at most. */
function wholeBytes(ranks: number): number {
  return Math.min(1 << 20, chunkBytes(ranks));
}

/** Whether an array that the ranks of one host share is reduced where it lies; what is smaller is an ordinary one. */
export function isInPlace({ ranks, bytes }: Reduction): boolean {
  return ranks > 1 && 2 * bytes > wholeBytes(ranks);
}

/** Of an array that lies in memory that the ranks of a host share: two turns, nothing is copied, and each rank reads its share of all arrays and writes it into all. */
export function inPlaceWork({ ranks, bytes }: Reduction): Work {
  if (ranks === 1) return NONE;
  return { hops: 2 * (ranks - 1), sentBytes: 0, reducedBytes: bytes };
}

/** As many ranks on each of some hosts. */
export interface Hosts {
  readonly hosts: number;
  readonly ranksPerHost: number;
  /** Of the array. */
  readonly bytes: number;
  /** Whether the array lies in memory that the ranks of a host share. Default: false */
  readonly inPlace?: boolean;
}

/** The parts of a hierarchical all-reduce, each with a price of its own. */
export interface HierarchicalWork {
  /** Messages between ranks of a host. */
  readonly near: Work;
  /** In shared memory, by way of it. */
  readonly shared: Work;
  /** In shared memory, where the array lies. */
  readonly inPlace: Work;
  /** Between hosts, by each of the ranks that carry something. */
  readonly far: Work;
}

/** On each host, between the hosts, and on each host again. */
export function hierarchicalWork({ hosts, ranksPerHost: ranks, bytes, inPlace = false }: Hosts): HierarchicalWork {
  if (bytes <= SMALL_BYTES) {
    const handOut = ranks > 1 ? { hops: 1, sentBytes: (ranks - 1) * bytes, reducedBytes: 0 } : NONE;
    return {
      near: plus(treeWork({ ranks, bytes }), handOut),
      shared: NONE,
      inPlace: NONE,
      far: treeWork({ ranks: hosts, bytes }),
    };
  }
  const segment = { ranks: hosts, bytes: bytes / ranks };
  const far = segment.bytes <= SMALL_BYTES ? treeWork(segment) : ringWork(segment);
  if (!inPlace || ranks === 1) {
    const shared = plus(sharedWork({ ranks, bytes }, "scatter"), sharedWork({ ranks, bytes }, "gather"));
    return { near: NONE, shared, inPlace: NONE, far };
  }
  // Each hands its segment out by copying it into the others' arrays.
  const handOut = { hops: 0, sentBytes: (ranks - 1) * segment.bytes, reducedBytes: 0 };
  return { near: NONE, shared: handOut, inPlace: inPlaceWork({ ranks, bytes }), far };
}

function plus(a: Work, b: Work): Work {
  return {
    hops: a.hops + b.hops,
    sentBytes: a.sentBytes + b.sentBytes,
    reducedBytes: a.reducedBytes + b.reducedBytes,
  };
}

/** Seconds that work takes. @param crowding how many ranks share a core: all three are the processor's work. Default: 1 */
export function secondsOf(work: Work, price: Price, crowding = 1): number {
  return crowding * (work.hops * price.hop + work.sentBytes * price.byte + work.reducedBytes * price.reducedByte);
}

/** What connects hosts. */
export interface Network {
  readonly name: string;
  /** Of a small message, one way, in seconds. */
  readonly latency: number;
  /** Of a host, each way. */
  readonly bytesPerSecond: number;
}

/**
 * The price over a network of what was measured without one. The wire and the processors work at the same time, so that the slower of them counts.
 * @param senders how many ranks of a host share its line. Default: 1
 */
export function overNetwork(price: Price, network: Network, senders = 1): Price {
  return {
    hop: price.hop + network.latency,
    byte: Math.max(price.byte, senders / network.bytesPerSecond),
    reducedByte: price.reducedByte,
  };
}

/** Seconds that gradients take which travel in buckets, one after the other. @param cost seconds of an all-reduce of so many bytes */
export function inBuckets(
  { bytes, bucketBytes }: { bytes: number; bucketBytes: number },
  cost: (bytes: number) => number,
): number {
  const full = Math.floor(bytes / bucketBytes), rest = bytes - full * bucketBytes;
  return (full > 0 ? full * cost(bucketBytes) : 0) + (rest > 0 ? cost(rest) : 0);
}

/** One measured time. */
export interface Measurement {
  readonly work: Work;
  readonly seconds: number;
  /** How many ranks shared a core. Default: 1 */
  readonly crowding?: number;
}

/**
 * The prices that explain what was measured with the least sum of squared relative errors, none of them negative.
 * @throws RangeError if there is nothing measured, or a time is not positive
 */
export function fitPrice(measured: readonly Measurement[]): Price {
  if (measured.length === 0) throw new RangeError("nothing was measured: a fit needs at least one time");
  // Each row says that the prices times these numbers are 1.
  const rows = measured.map(({ work, seconds, crowding = 1 }) => {
    if (!(seconds > 0)) throw new RangeError(`a measured time is ${seconds} s; it must be positive`);
    return [work.hops, work.sentBytes, work.reducedBytes].map((amount) => amount * crowding / seconds);
  });
  const scales = [0, 1, 2].map((i) => Math.hypot(...rows.map((row) => row[i])) || 1);
  const scaled = rows.map((row) => row.map((value, i) => value / scales[i]));
  let best = [0, 0, 0], least = Infinity;
  // The best prices without negative ones are the usual solution for some of the three, the others 0.
  for (let chosen = 1; chosen < 8; chosen++) {
    const columns = [0, 1, 2].filter((i) => chosen & 1 << i);
    const solved = leastSquares(scaled.map((row) => columns.map((i) => row[i])));
    if (!solved || solved.some((value) => value < 0)) continue;
    const prices = [0, 0, 0];
    for (const [at, column] of columns.entries()) prices[column] = solved[at];
    const error = scaled.reduce(
      (sum, row) => sum + (row.reduce((s, value, i) => s + value * prices[i], 0) - 1) ** 2,
      0,
    );
    // What explains no more with one price more is explained with fewer.
    if (error < least - 1e-12) [best, least] = [prices, error];
  }
  const [hop, byte, reducedByte] = best.map((value, i) => value / scales[i]);
  return { hop, byte, reducedByte };
}

/** The x for which `rows` times x is closest to all ones, by the normal equations; undefined if several are. */
function leastSquares(rows: readonly number[][]): number[] | undefined {
  const size = rows[0].length;
  const sum = (of: (row: number[]) => number) => rows.reduce((total, row) => total + of(row), 0);
  const equations = Array.from({ length: size }, (_, i) => [
    ...Array.from({ length: size }, (_, j) => sum((row) => row[i] * row[j])),
    sum((row) => row[i]),
  ]);
  for (let i = 0; i < size; i++) {
    const pivot = equations[i][i];
    if (pivot < 1e-9) return undefined;
    for (let k = 0; k < size; k++) {
      if (k === i) continue;
      const factor = equations[k][i] / pivot;
      for (let j = i; j <= size; j++) equations[k][j] -= factor * equations[i][j];
    }
  }
  return equations.map((row, i) => row[size] / row[i]);
}
