/** Seconds of an all-reduce in worlds that nobody measured, from prices that were fitted and networks that are assumed. */
import {
  type HierarchicalWork,
  hierarchicalWork,
  inBuckets,
  inPlaceWork,
  isInPlace,
  type Network,
  overNetwork,
  type Price,
  ringWork,
  secondsOf,
  sharedWork,
  SMALL_BYTES,
  treeWork,
} from "./cost_model.ts";

/** What was fitted: messages on one host, encrypted ones, ordinary arrays by way of memory that ranks share, and arrays that lie there. */
export interface Prices {
  readonly messages: Price;
  readonly encrypted: Price;
  readonly shared: Price;
  readonly inPlace: Price;
}

/** Seconds of a hierarchical all-reduce. @param far the price between hosts. @param crowding how many ranks share a core. Default: 1 */
export function hierarchicalSeconds(
  work: HierarchicalWork,
  { messages, shared, inPlace, far }: Omit<Prices, "encrypted"> & { far: Price },
  crowding = 1,
): number {
  const parts = [[work.near, messages], [work.shared, shared], [work.inPlace, inPlace], [work.far, far]] as const;
  return parts.reduce((sum, [part, price]) => sum + secondsOf(part, price, crowding), 0);
}

/** Assumed, not measured: latencies of a message by TCP, one way, as are usual for such lines. */
export const NETWORKS: readonly Network[] = [
  { name: "10 Gb/s", latency: 50e-6, bytesPerSecond: 1.25e9 },
  { name: "25 Gb/s", latency: 25e-6, bytesPerSecond: 3.125e9 },
  { name: "100 Gb/s", latency: 15e-6, bytesPerSecond: 12.5e9 },
];

/** Assumed: ranks of a host, each with a core of its own as had the two ranks that were measured. */
export const RANKS_PER_HOST = 8;
/** torch DDP's and ours. */
export const BUCKET_BYTES = 25 * 2 ** 20;
const SHARED_FROM_BYTES = 16 * 1024;

/** Assumed of GPUs with NCCL: NVLink within a host, a port of 400 Gb/s for each GPU between hosts; nothing of it was measured. */
const NVLINK: Price = { hop: 3e-6, byte: 1 / 450e9, reducedByte: 0 };
const INFINIBAND: Price = { hop: 8e-6, byte: 1 / 50e9, reducedByte: 0 };

/** How ranks reduce. */
export type Algorithm = "ring" | "tree" | "hierarchical" | "NCCL, assumed";
export const ALGORITHMS: readonly Algorithm[] = ["ring", "tree", "hierarchical", "NCCL, assumed"];

/** Which world. */
export interface World {
  /** A multiple of {@linkcode RANKS_PER_HOST}. */
  readonly ranks: number;
  readonly network: Network;
}

/** Seconds of an all-reduce of one array; hierarchical, and on one host, of one in memory that a host's ranks share, as DDP's buckets. */
export function predict(algorithm: Algorithm, bytes: number, { ranks, network }: World, prices: Prices): number {
  const { messages, encrypted, shared, inPlace } = prices, ranksPerHost = RANKS_PER_HOST, hosts = ranks / ranksPerHost;
  const far = (senders: number) => overNetwork(encrypted, network, senders);
  switch (algorithm) {
    case "ring": // One of a host's ranks sends to the next host.
      return secondsOf(ringWork({ ranks, bytes }), hosts > 1 ? far(1) : messages);
    case "tree": // In the rounds between hosts all ranks of a host send.
      return secondsOf(treeWork({ ranks: ranksPerHost, bytes }), messages) +
        secondsOf(treeWork({ ranks: hosts, bytes }), far(ranksPerHost));
    case "hierarchical": {
      if (hosts === 1) {
        if (isInPlace({ ranks, bytes })) return secondsOf(inPlaceWork({ ranks, bytes }), inPlace);
        return bytes > SHARED_FROM_BYTES
          ? secondsOf(sharedWork({ ranks, bytes }), shared)
          : secondsOf(treeWork({ ranks, bytes }), messages);
      }
      const work = hierarchicalWork({ hosts, ranksPerHost, bytes, inPlace: true });
      return hierarchicalSeconds(work, { ...prices, far: far(bytes <= SMALL_BYTES ? 1 : ranksPerHost) });
    }
    case "NCCL, assumed":
      return secondsOf(ringWork({ ranks: ranksPerHost, bytes }), NVLINK) +
        Math.min(
          ...[ringWork, treeWork].map((form) =>
            secondsOf(form({ ranks: hosts, bytes: bytes / ranksPerHost }), INFINIBAND)
          ),
        );
  }
}

/** Seconds that gradients take in buckets. */
export function predictGradients(
  algorithm: Algorithm,
  { bytes, bucketBytes = BUCKET_BYTES, ...world }: World & { bytes: number; bucketBytes?: number },
  prices: Prices,
): number {
  return inBuckets({ bytes, bucketBytes }, (part) => predict(algorithm, part, world, prices));
}

/** How many parameters of float32 can be averaged in so many seconds; 0 if not even one. */
export function parametersWithin(seconds: number, algorithm: Algorithm, world: World, prices: Prices): number {
  let low = 0, high = 1e12;
  while (high - low > Math.max(1, low * 0.005)) {
    const middle = Math.sqrt(Math.max(low, 1) * high);
    if (predictGradients(algorithm, { ...world, bytes: 4 * Math.round(middle) }, prices) <= seconds) low = middle;
    else high = middle;
  }
  return Math.round(low);
}
