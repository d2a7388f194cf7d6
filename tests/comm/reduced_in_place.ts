import assert from "node:assert/strict";
import type { NumberArray, NumberArrayType, ProcessGroup } from "../../runtime/comm/process_group.ts";

/** Holds that reductions of a part of a shared array end with the bytes of an ordinary array, and touch nothing before and after it. All ranks call it. */
export async function checkReducedInPlace(
  group: ProcessGroup,
  Type: NumberArrayType<NumberArray> & (new (length: number) => NumberArray),
  { before, length, after }: { before: number; length: number; after: number },
): Promise<void> {
  using shared = await group.sharedArray<NumberArray>(Type, before + length + after);
  assert.ok(shared.isShared);
  const values: NumberArray = new Type(length).map((_, i) => Math.sin(i * 1.7 + group.rank * 3.1) * 1000);
  for (const scatters of [false, true]) {
    const part = shared.data.fill(5).subarray(before, before + length) as NumberArray, copy = values.slice();
    part.set(values);
    const [got, expected] = scatters
      ? [await group.reduceScatter(part, { op: "mean" }), await group.reduceScatter(copy, { op: "mean" })]
      : [await group.allReduce(part, { op: "mean" }), await group.allReduce(copy, { op: "mean" })];
    assert.deepEqual(new Uint8Array(got.slice().buffer), new Uint8Array(expected.slice().buffer), `${length}`);
    const beside = [...shared.data.subarray(0, before), ...shared.data.subarray(before + length)];
    assert.deepEqual(beside, Array(before + after).fill(5), "nothing beside it is touched");
  }
}
