import assert from "node:assert/strict";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import type { ProcessGroup } from "../../runtime/comm/process_group.ts";
import { compressedMean, type CompressedMeanOptions } from "../../strategies/compressed_mean.ts";
import { MeanExchange } from "../../strategies/mean_exchange.ts";

/** Pseudo-random values in (-1, 1), the same in every run. */
function values(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1);
}

async function withRanks<T>(worldSize: number, use: (group: ProcessGroup, rank: number) => Promise<T>): Promise<T[]> {
  const groups = joinMemoryGroup(worldSize);
  try {
    return await Promise.all(groups.map(use));
  } finally {
    for (const group of groups) await group[Symbol.asyncDispose]();
  }
}

function average(inputs: readonly Float32Array<ArrayBuffer>[], options: CompressedMeanOptions) {
  return withRanks(inputs.length, async (group, rank) => {
    const data = inputs[rank].slice();
    await compressedMean(group, data, options);
    return data;
  });
}

/** What the two roundings (of the values, and of the mean) may cost, as a part of the largest value. */
const TOLERANCE = { fp16: 2 ** -10, bf16: 2 ** -7 };

for (const format of ["fp16", "bf16"] as const) {
  for (const worldSize of [2, 3, 5]) {
    for (const segmentsFromBytes of [0, Infinity]) {
      const how = segmentsFromBytes === 0 ? "in segments" : "whole";
      Deno.test(`the mean of ${worldSize} ranks in ${format}, sent ${how}, is close to the exact one and the same everywhere`, async () => {
        for (const length of [0, 1, 2, 7, 1001]) {
          const inputs = Array.from({ length: worldSize }, (_, rank) => values(length + 2, rank + 1));
          for (const [rank, input] of inputs.entries()) input.set([rank === 1 ? 1 : 0, rank], length);
          const results = await average(inputs, { format, exact: 2, segmentsFromBytes });
          for (const result of results) assert.deepEqual(result, results[0], "the ranks differ");
          for (let i = 0; i < length; i++) {
            const mean = inputs.reduce((sum, input) => sum + input[i], 0) / worldSize;
            assert.ok(Math.abs(results[0][i] - mean) <= TOLERANCE[format], `${results[0][i]} is not near ${mean}`);
          }
          assert.equal(results[0][length], Math.fround(1 / worldSize), "a counter was rounded");
          assert.equal(results[0][length + 1], (worldSize - 1) / 2);
        }
      });
    }
  }

  Deno.test(`in ${format} a value that is not finite on one rank is not finite on any`, async () => {
    for (const segmentsFromBytes of [0, Infinity]) {
      const inputs = [values(9, 1), values(9, 2), values(9, 3)];
      inputs[1][4] = NaN;
      inputs[2][5] = -Infinity;
      for (const result of await average(inputs, { format, segmentsFromBytes })) {
        assert.ok(Number.isNaN(result[4]));
        assert.equal(result[5], -Infinity);
        assert.ok(Number.isFinite(result[3]));
      }
    }
  });
}

Deno.test("fp16 neither overflows nor loses small gradients, whatever their size, and zeros stay zeros", async () => {
  for (const size of [1e-38, 1e-20, 1e-6, 1, 1e6, 1e30, 1e38]) {
    for (const segmentsFromBytes of [0, Infinity]) {
      const inputs = [1, 2, 3].map((rank) => values(64, rank).map((value) => value * size));
      const [result] = await average(inputs, { format: "fp16", segmentsFromBytes });
      for (const [i, value] of result.entries()) {
        const mean = (inputs[0][i] + inputs[1][i] + inputs[2][i]) / 3;
        assert.ok(Math.abs(value - mean) <= size * 2 ** -10, `${value} is not near ${mean}`);
      }
      const [zeros] = await average([0, 1, 2].map(() => new Float32Array(5)), { format: "fp16", segmentsFromBytes });
      assert.deepEqual([...zeros], [0, 0, 0, 0, 0]);
    }
  }
});

Deno.test("one rank alone keeps its values exactly", async () => {
  const input = values(10, 3);
  const [result] = await average([input], { format: "bf16" });
  assert.deepEqual(result, input);
});

Deno.test("averages asked for side by side are carried out in the order in which they were asked", async () => {
  const results = await withRanks(3, async (group, rank) => {
    for (const compression of ["bf16", undefined] as const) {
      const exchange = new MeanExchange(group, compression);
      const arrays = [1, 40_000, 3].map((length, i) => new Float32Array(length).fill((rank + 1) * (i + 1)));
      // What has to be read from the device first is ready at other times on other ranks.
      const ready = arrays.map((_, i) => new Promise((resolve) => setTimeout(resolve, (rank + i) % 2 * 5)));
      await Promise.all(arrays.map((data, i) => exchange.average(data, { ready: ready[i] })));
      for (const [i, data] of arrays.entries()) {
        assert.ok(data.every((value) => value === 2 * (i + 1)), `${data[0]} of array ${i}`);
      }
    }
    return true;
  });
  assert.equal(results.length, 3);
});
