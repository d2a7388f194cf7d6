import type { RankSamples } from "../../strategies/rank_samples.ts";
import type { ProcessGroup } from "../comm/process_group.ts";
import { asUserCall } from "../core/user_call.ts";
import { sampleCountOf } from "../data/sample_count.ts";
import { TensorScope } from "../tensor/scope.ts";

const purpose = "fabric.join";

/** What can be joined. */
export type JoinableBatches<B> = (AsyncIterable<B> | Iterable<B>) & { readonly length?: number };

/**
 * This rank's batches, then `undefined` until every rank has run out: every rank goes through the loop equally often. Notes of how many samples
 * each batch is, for the mean over the ranks. If every rank knows its number of batches they tell each other once, else before every batch.
 */
export async function* joinBatches<B>(
  batches: JoinableBatches<B>,
  ranks: { group: ProcessGroup; samples: RankSamples },
): AsyncGenerator<B | undefined, void, undefined> {
  const { group, samples } = ranks;
  const rounds = await roundsOf(batches, group);
  const iterator = Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]();
  let isOver = false;
  try {
    for (let round = 0; rounds === undefined || round < rounds; round++) {
      const next: IteratorResult<B> | undefined = isOver ? undefined : await iterator.next();
      isOver ||= next?.done === true;
      if (
        rounds === undefined && !(await asUserCall(() => group.allGatherObjects(!isOver, { purpose }))).includes(true)
      ) return;
      if (!isOver) {
        const batch: B = next!.value;
        samples.add(sampleCountOf(batch));
        yield batch;
        continue;
      }
      samples.add(0);
      const scope = TensorScope.open("batch");
      try {
        yield undefined;
      } finally {
        scope.close();
      }
    }
  } finally {
    if (!isOver) await iterator.return?.();
  }
}

/** The most batches that a rank has; undefined if one does not know. */
async function roundsOf(batches: { readonly length?: number }, group: ProcessGroup): Promise<number | undefined> {
  const own = typeof batches.length === "number" && Number.isFinite(batches.length) ? batches.length : null;
  const all = await asUserCall(() => group.allGatherObjects(own, { purpose }));
  return all.includes(null) ? undefined : Math.max(...all as number[]);
}
