import type { Fabric } from "../../fabric/fabric.ts";
import { LoggedMetric, type MetricShare, reduceShares } from "./logged_metric.ts";
import type { MetricState } from "../../metrics/metric_state.ts";
import type { ResultCollection } from "./result_collection.ts";

const purpose = "the logged values of an epoch";

/** A metric of an epoch with its one number. */
export interface ReducedMetric {
  readonly entry: LoggedMetric;
  readonly value: number;
}

interface RankShares extends Record<string, unknown> {
  batches: number;
  shares: MetricShare[];
}

/**
 * The numbers of an epoch: over all ranks, in one message whatever the number of metrics. Everything must have been read.
 * @throws Error if some ranks logged a metric that others, which also had batches, did not
 */
export async function reduceAcrossRanks(fabric: Fabric, collection: ResultCollection): Promise<ReducedMetric[]> {
  const entries = [...collection.entries].filter(({ options }) => options.onEpoch);
  const states = await Promise.all(entries.map(({ metric }) => metric?.state()));
  const own: RankShares = { batches: collection.batches, shares: entries.map((entry, i) => entry.share(states[i])) };
  const ranks = fabric.worldSize === 1 ? [own] : await fabric.allGatherObjects(own, { purpose });
  if (ranks.length > 1) checkSameNames(ranks);
  const reduced: ReducedMetric[] = [];
  for (const share of everyShare(ranks)) {
    const key = keyOf(share);
    const { rankZeroOnly, syncEpoch, reduceFx } = share.options;
    const holders = ranks.flatMap(({ shares }, rank) => {
      const found = shares.find((other) => keyOf(other) === key);
      return found ? [{ rank, share: found }] : [];
    });
    const counted = rankZeroOnly
      ? holders.filter(({ rank }) => rank === 0)
      : syncEpoch
      ? holders
      : holders.filter(({ rank }) => rank === fabric.globalRank);
    const shares = counted.map(({ share }) => share);
    if (shares.length === 0) continue;
    const mine = entries.find((entry) => keyOf(entry) === key);
    const entry = mine ??
      new LoggedMetric({ ...share, dataloaderIdx: share.dataloaderIdx ?? undefined }, share.options);
    if (share.state === null) {
      reduced.push({ entry, value: reduceShares(shares, reduceFx) });
      continue;
    }
    let values = mine?.metric && numbersOf(mine.metric.fromStates(shares.map(({ state }) => state as MetricState)));
    // A rank without batches has no object to compute with: one that has it tells the result.
    if (holders.length < ranks.length && syncEpoch) {
      values = await fabric.broadcast(values ?? [], { root: holders[0].rank, purpose });
    }
    for (const { value, suffix } of values ?? []) {
      reduced.push({ entry: suffix ? renamed(entry, suffix) : entry, value });
    }
  }
  return reduced;
}

function keyOf({ hook, name, dataloaderIdx }: { hook: string; name: string; dataloaderIdx?: number | null }): string {
  return `${hook}.${name}.${dataloaderIdx ?? ""}`;
}

function everyShare(ranks: readonly RankShares[]): MetricShare[] {
  const seen = new Map<string, MetricShare>();
  for (const { shares } of ranks) {
    for (const share of shares) if (!seen.has(keyOf(share))) seen.set(keyOf(share), share);
  }
  return [...seen.values()];
}

function checkSameNames(ranks: readonly RankShares[]): void {
  for (const share of everyShare(ranks)) {
    if (share.options.rankZeroOnly || !share.options.syncEpoch) continue;
    const has = ranks.map(({ shares }) => shares.some((other) => keyOf(other) === keyOf(share)));
    // A rank whose share of the data was empty ran no step that could have logged.
    const lacks = has.flatMap((logged, rank) => logged || (ranks[rank].batches === 0) ? [] : [rank]);
    if (lacks.length === 0) continue;
    const name = (list: readonly number[]) => `rank${list.length > 1 ? "s" : ""} ${list.join(", ")}`;
    throw new Error(
      `The metric \`${share.name}\` was logged in \`${share.hook}\` on ${
        name(has.flatMap((logged, rank) => logged ? [rank] : []))
      } ` +
        `but not on ${name(lacks)}: log it on every rank, or pass { rankZeroOnly: true } or { syncDist: false }`,
    );
  }
}

function renamed(entry: LoggedMetric, suffix: string): LoggedMetric {
  const { hook, dataloaderIdx, options } = entry;
  return new LoggedMetric({ name: `${entry.name}_${suffix}`, hook, dataloaderIdx }, options);
}

/** What a metric object came to: one number, or one for each of its parts. */
function numbersOf(result: unknown): { value: number; suffix: string }[] {
  if (typeof result === "number") return [{ value: result, suffix: "" }];
  if (Array.isArray(result) || ArrayBuffer.isView(result)) {
    return Array.from(result as ArrayLike<number>, (value, index) => ({ value: Number(value), suffix: String(index) }));
  }
  return Object.entries(result as Record<string, number>).map(([suffix, value]) => ({ value: Number(value), suffix }));
}
