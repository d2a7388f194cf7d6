import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import type { tf } from "../runtime/tensor/tf.ts";

/** What must be equal on all ranks, as text that can be compared and shown: `net.0.kernel float32 [784,100]`. */
function describe(variables: ReadonlyMap<string, tf.Variable>): string[] {
  return [...variables].map(([name, v]) => `${name} ${v.dtype} [${v.shape.join(",")}]${v.trainable ? "" : " frozen"}`);
}

/**
 * Compares names, types and shapes of all variables with rank 0's.
 * @param what is compared, for people
 * @throws Error on every rank, naming the first variable that differs and both ranks
 */
export async function checkSameModel(
  group: ProcessGroup,
  variables: ReadonlyMap<string, tf.Variable>,
  what = "the model",
): Promise<void> {
  const mine = describe(variables);
  const expected = await group.broadcastObject(mine, { purpose: "fabric.setup" });
  const at = Array.from({ length: Math.max(mine.length, expected.length) }, (_, i) => i)
    .find((i) => mine[i] !== expected[i]);
  const difference = at === undefined ? null : { at, mine: mine[at] ?? null, expected: expected[at] ?? null };
  const differences = await group.allGatherObjects(difference, { purpose: "fabric.setup" });
  const rank = differences.findIndex((difference) => difference !== null);
  if (rank < 0) return;
  const { at: index, mine: theirs, expected: first } = differences[rank]!;
  throw new Error(
    `${what} differs between ranks: parameter ${index} is ${first ?? "absent"} on rank 0 but ${
      theirs ?? "absent"
    } on rank ${rank}. ` +
      "Every rank must build the same model: check what depends on the rank, the environment or random numbers before `fabric.setup`.",
  );
}
