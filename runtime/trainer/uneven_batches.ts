import { info, warn } from "../core/messages.ts";
import type { Fabric } from "../fabric/fabric.ts";

/** Said where an epoch is cut to the shortest rank. */
const WHY = "because in manual optimization every rank needs as many";

/** Each rank's number of batches, Infinity where it is not known. Collective. */
export async function lengthsOfRanks(fabric: Fabric, own: number): Promise<number[]> {
  if (fabric.worldSize === 1) return [own];
  return (await fabric.allGatherObjects(Number.isFinite(own) ? own : null, {
    purpose: "the numbers of training batches",
  })).map((length) => length ?? Infinity);
}

function counts(lengths: readonly number[]): string {
  return `ranks have ${
    lengths.map((n) => Number.isFinite(n) ? n : "an unknown number of").join(", ")
  } training batches`;
}

/** Says that ranks that run out take part in the others' steps. */
export function sayJoined(lengths: readonly number[]): void {
  info(`${counts(lengths)}: those that run out take part in the steps of the others without a batch`);
}

/** Says how many batches are left out where all ranks use as many as the one with the fewest. `lengths`: after the limit. */
export function sayCut(lengths: readonly number[]): void {
  const fewest = Math.min(...lengths), left = lengths.reduce((sum, length) => sum + length - fewest, 0);
  warn(
    "uneven-batches",
    Number.isFinite(left)
      ? `${counts(lengths)}: each epoch uses ${fewest} of each rank and leaves ${left} out, ${WHY}`
      : `${counts(lengths)}: each epoch uses at most ${fewest} of each rank and leaves the others out, ${WHY}`,
  );
}

/** @throws RangeError if a rank has nothing, so that an epoch of manual optimization would have no step */
export function checkNoneEmpty(hasBatch: readonly boolean[]): void {
  const lacking = ranksOf(hasBatch, false);
  if (lacking.length === 0 || lacking.length === hasBatch.length) return;
  throw new RangeError(
    `${
      name(lacking)
    } no training batches, so that the others could use none, ${WHY}: give every rank data, or use automatic optimization`,
  );
}

/**
 * What ranks that do not all know their number of batches ask each other before each, so that the epoch ends for all when one has run out.
 * Returns whether all have one; says it once if only some have. Collective.
 * @returns a function of whether this rank has a batch, and how many of the epoch went before
 */
export function cutTogether(fabric: Fabric): (hasBatch: boolean, before: number) => Promise<boolean> {
  return async (hasBatch, before) => {
    const all = await fabric.allGatherObjects(hasBatch, { purpose: "whether all ranks have a batch" });
    if (!all.includes(false)) return true;
    if (before === 0) checkNoneEmpty(all);
    if (all.includes(true)) {
      warn(
        "uneven-batches",
        `${
          name(ranksOf(all, false))
        } no more than ${before} training batches: each epoch uses ${before} of each rank and leaves the others out, ${WHY}`,
      );
    }
    return false;
  };
}

function ranksOf(hasBatch: readonly boolean[], which: boolean): number[] {
  return hasBatch.flatMap((has, rank) => has === which ? [rank] : []);
}

function name(ranks: readonly number[]): string {
  return ranks.length === 1 ? `rank ${ranks[0]} has` : `ranks ${ranks.join(", ")} have`;
}
