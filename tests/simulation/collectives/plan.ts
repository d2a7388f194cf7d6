import type { Random } from "../../../runtime/seed/random.ts";
import type { Latency, Mischief, Outage } from "../world/network.ts";
import { type Call, drawCall } from "./call.ts";

/** What goes wrong. */
export type Fault =
  | { readonly kind: "none" }
  /** Between two hosts or two ranks nothing passes for a while: what was sent is late, or gone. */
  | { readonly kind: "late" | "lost"; readonly outages: readonly Outage[] }
  /** What connections do not do, but must not lead to wrong results. */
  | { readonly kind: "repeat" | "overtake" | "cut"; readonly mischief: Mischief }
  | { readonly kind: "kill"; readonly rank: number; readonly atMs: number; readonly lostMs: number }
  | { readonly kind: "freeze"; readonly rank: number; readonly atMs: number; readonly forMs: number }
  /** A rank throws, leaves, or calls something else before, or instead of, its nth call; or makes that call for another purpose. */
  | { readonly kind: "throw" | "leave" | "mismatch" | "purpose"; readonly rank: number; readonly call: number };

/** A world of ranks, what they call, and what goes wrong: all of it drawn from a seed. */
export interface CollectivesPlan {
  readonly worldSize: number;
  readonly ranksPerHost: number;
  readonly calls: readonly Call[];
  /** How many calls a rank makes before it waits for their results, by call. */
  readonly together: number;
  readonly latency: Latency;
  /** How long each rank computes between calls, at most, in milliseconds. */
  readonly computeMs: readonly number[];
  /** When each rank starts. */
  readonly startMs: readonly number[];
  readonly meetMs: number;
  readonly timeoutMs: number;
  readonly smallBytes: number;
  readonly chunkBytes: number;
  /** Bytes of a chunk in the memory that the ranks of a host share; 0 if they share none. */
  readonly sharedChunkBytes: number;
  readonly fault: Fault;
}

/** Most worlds are small: there are more of them in the same time. */
function drawWorldSize(random: Random): number {
  const roll = random.integer(1000);
  if (roll < 700) return 2 + random.integer(7);
  if (roll < 950) return 9 + random.integer(24);
  if (roll < 995) return 33 + random.integer(96);
  return 129 + random.integer(128);
}

/** @param worldSize instead of one that is drawn */
export function drawPlan(random: Random, worldSize: number = drawWorldSize(random)): CollectivesPlan {
  const isSmall = worldSize <= 32;
  const ranksPerHost = 1 + random.integer(Math.min(worldSize, 8));
  const callCount = 1 + random.integer(worldSize <= 8 ? 12 : isSmall ? 6 : 3);
  const limits = {
    worldSize,
    maxLength: [8, 60, isSmall ? 600 : 60][random.integer(3)],
    allToAll: worldSize <= 64,
  };
  const calls = Array.from({ length: callCount }, () => drawCall(random, limits));
  const slowRank = random.integer(3) === 0 ? random.integer(worldSize) : -1;
  const usualMs = 10 ** (random.uniform() * 3 - 1);
  return {
    ...{ worldSize, ranksPerHost, calls, together: 1 + random.integer(3) },
    latency: {
      nearMs: 0.02 + random.uniform() * 0.1,
      farMs: 10 ** (random.uniform() * 2.5 - 1),
      jitterMs: 10 ** (random.uniform() * 3 - 1.5),
    },
    computeMs: Array.from({ length: worldSize }, (_, rank) => rank === slowRank ? 50 * usualMs : usualMs),
    startMs: Array.from({ length: worldSize }, () => random.uniform() * 200),
    meetMs: 60_000,
    timeoutMs: 5_000 + random.integer(25_000),
    // Nearly 1,024 ranks around a ring would be a million frames.
    smallBytes: worldSize > 128 ? 1 << 20 : [0, 64, 65_536][random.integer(3)],
    chunkBytes: 64 << random.integer(6),
    fault: drawFault(random, { worldSize, ranksPerHost, callCount }),
    // Drawn last, so that older seeds give the same worlds.
    sharedChunkBytes: worldSize <= 128 ? 4096 * random.integer(3) : 0,
  };
}

function drawFault(
  random: Random,
  facts: { worldSize: number; ranksPerHost: number; callCount: number },
): Fault {
  const { worldSize, ranksPerHost, callCount } = facts;
  const rank = random.integer(worldSize), call = random.integer(callCount);
  // Most of what happens, happens in the first half a second.
  const atMs = random.integer(4) === 0 ? random.uniform() * 3000 : 10 + random.uniform() * 500;
  const outages = (loses: boolean, longestMs: number): Outage[] => {
    const other = (rank + 1 + random.integer(worldSize - 1)) % worldSize;
    const hosts = random.integer(2) === 0 && Math.floor(rank / ranksPerHost) !== Math.floor(other / ranksPerHost);
    const end = (rank: number) => hosts ? `host${Math.floor(rank / ranksPerHost)}` : `rank${rank}`;
    return [{ a: end(rank), b: end(other), fromMs: atMs, untilMs: atMs + random.uniform() * longestMs, loses }];
  };
  const chance = 10 ** (-random.uniform() * 3);
  const none: Mischief = { repeat: 0, overtake: 0, cut: 0 };
  switch (random.integer(14)) {
    case 0:
    case 1:
      return { kind: "late", outages: outages(false, 2_000) };
    case 2:
    case 3:
      return { kind: "lost", outages: outages(true, 200) };
    case 4:
      return { kind: "repeat", mischief: { ...none, repeat: chance } };
    case 5:
      return { kind: "overtake", mischief: { ...none, overtake: chance } };
    case 6:
      return { kind: "cut", mischief: { ...none, cut: chance / 10 } };
    case 7:
      return { kind: "kill", rank, atMs, lostMs: random.integer(2) * random.uniform() * 5 };
    case 8:
      return { kind: "freeze", rank, atMs, forMs: random.integer(2) === 0 ? 1_500 : random.uniform() * 100_000 };
    case 9:
      return { kind: "throw", rank, call };
    case 10:
      return { kind: "leave", rank, call };
    case 11:
      // No draw of its own, so that older seeds give the same worlds.
      return { kind: call % 2 === 0 ? "purpose" : "mismatch", rank, call };
    default:
      return { kind: "none" };
  }
}
