import assert from "node:assert/strict";
import { lookupPairs } from "../../runtime/data/lookup_pairs.ts";
import { TensorDataset } from "../../runtime/data/tensor_dataset.ts";
import { Compose, Normalize, ToTensor } from "../../runtime/data/transforms.ts";

Deno.test("a pair of bytes is looked up as the two floats of the bytes", () => {
  const table = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - 0.13) / 0.31);
  const pairs = lookupPairs(table)!;
  assert.equal(lookupPairs(table), pairs);
  const floats = new Float32Array(pairs.buffer);
  for (let low = 0; low < 256; low++) {
    for (let high = 0; high < 256; high += 5) {
      const at = 2 * (low + 256 * high);
      assert.ok(Object.is(floats[at], table[low]) && Object.is(floats[at + 1], table[high]));
    }
  }
});

Deno.test("a table whose pairs would be NaNs has none", () => {
  const strange = new Float32Array(new Uint32Array(256).fill(0x7fffffff).buffer);
  assert.ok(lookupPairs(strange) === undefined);
  assert.ok(lookupPairs(new Float32Array(256).fill(Infinity)) !== undefined);
});

Deno.test("rows with an odd number of bytes, and those of a shifted buffer, give the same as sample by sample", () => {
  const bytes = Uint8Array.from({ length: 201 }, (_, i) => i * 37);
  const transform = new Compose([new ToTensor(), new Normalize(0.4, 0.2)]);
  for (const [size, offset] of [[5, 0], [4, 1], [4, 0]]) {
    const data = bytes.subarray(offset, offset + size * 40);
    const dataset = new TensorDataset({ dtype: "uint8", shape: [40, size], data }).withTransform(transform);
    const indices = Uint32Array.of(3, 39, 0, 3);
    const context = { epoch: 0, random: () => assert.fail("nothing random here") };
    const [batch] = dataset.getBatch(indices, { context })!;
    const numbers = (data: unknown) => Array.from(data as Float32Array);
    const expected = [...indices].flatMap((index) => numbers(dataset.get(index)[0].data));
    assert.deepEqual(numbers(batch.data), expected);
  }
});
