import assert from "node:assert/strict";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { Module } from "../../runtime/nn/module.ts";
import { accumulateGradient, gradientOf, zeroGradients } from "../../runtime/tensor/gradients.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { DDPStrategy, type DDPStrategyOptions } from "../../strategies/ddp.ts";
import { RankFlags } from "../../strategies/rank_flags.ts";
import { ProcessMemory } from "../comm/process_memory.ts";

await tf.setBackend("cpu");

const RANKS = 2, STEPS = 4, LARGE = [300, 700], SMALL = [3];

/** A parameter whose bucket is worth sharing, between two that are not. */
class Net extends Module {
  readonly first = tf.tidy(() => tf.variable(tf.zeros(SMALL)));
  readonly large = tf.tidy(() => tf.variable(tf.zeros(LARGE)));
  readonly last = tf.tidy(() => tf.variable(tf.zeros(SMALL)));
}

interface Observed {
  /** The gradients of the large parameter, and of the last, by step and rank. */
  gradients: Float32Array[][];
  /** How many segments the ranks had open after each step. */
  openSegments: number[];
}

/** Trains on ranks that share memory, or do not. `freezes`: the large parameter is frozen in the third step. */
async function train(
  sharedMemory: ProcessMemory | undefined,
  options: DDPStrategyOptions & { freezes?: boolean; samples?: (rank: number, step: number) => number } = {},
): Promise<Observed> {
  const { freezes, samples, ...ddp } = options;
  const groups = joinMemoryGroup(RANKS, { sharedMemory }), nets = groups.map(() => new Net());
  const flags = groups.map(() => new RankFlags());
  const synchronizers = await Promise.all(
    groups.map((group, rank) =>
      new DDPStrategy({ bucketCapMiB: 0.5, ...ddp }).connect(group, flags[rank]).prepareModule(nets[rank])
    ),
  );
  const observed: Observed = { gradients: [], openSegments: [] };
  for (let step = 0; step < STEPS; step++) {
    const gradients = await Promise.all(nets.map(async (net, rank) => {
      net.large.trainable = !(freezes && step === 2);
      if (samples) flags[rank].samples.add(samples(rank, step));
      const pass = synchronizers[rank].beginBackward({ sync: true });
      for (const variable of [net.last, net.large, net.first].filter(({ trainable }) => trainable)) {
        const { size, shape } = variable;
        const values = Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7 + rank * 3.1 + step));
        accumulateGradient(variable, tf.tensor(values, shape));
        pass.gradientReady(variable);
      }
      await pass.finish();
      const results = [net.large, net.last].map((variable) =>
        gradientOf(variable)?.dataSync<"float32">().slice() ?? new Float32Array(0)
      );
      zeroGradients([...net.namedParameters().values()]);
      return results;
    }));
    observed.gradients.push(gradients.flat());
    observed.openSegments.push(sharedMemory?.openCount ?? 0);
  }
  for (const net of nets) net.dispose();
  await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
  assert.equal(sharedMemory?.openCount ?? 0, 0);
  return observed;
}

for (
  const [what, samples] of [
    ["as many samples on every rank", undefined],
    [
      "more samples on one rank in some steps, so that buckets travel twice",
      (rank: number, step: number) => step % 2 === 0 ? 3 : 1 + 4 * rank,
    ],
    ["no samples on one rank in some steps", (rank: number, step: number) => step % 2 === 0 ? 2 : 2 * rank],
  ] as const
) {
  Deno.test(`buckets in shared memory give the bytes of ordinary ones: ${what}`, async () => {
    const sharedMemory = new ProcessMemory();
    const shared = await train(sharedMemory, { samples }), ordinary = await train(undefined, { samples });
    // Each rank has its arena open, and the large bucket.
    assert.deepEqual(shared.openSegments, Array(STEPS).fill(2 * RANKS));
    assert.ok(sharedMemory.writtenBytes("segment 2") > LARGE[0] * LARGE[1], "gradients lie there");
    assert.deepEqual(shared.gradients, ordinary.gradients);
    assert.equal(sharedMemory.trespassed, 0);
  });
}

Deno.test("when a part is frozen its bucket's memory is given back, and taken again when it is not frozen any more", async () => {
  const sharedMemory = new ProcessMemory();
  const shared = await train(sharedMemory, { freezes: true }), ordinary = await train(undefined, { freezes: true });
  assert.deepEqual(shared.openSegments, [4, 4, 2, 4]);
  assert.deepEqual(shared.gradients, ordinary.gradients);
});

Deno.test("compressed gradients, which are copied anyway, take no shared buckets", async () => {
  const sharedMemory = new ProcessMemory();
  const { openSegments } = await train(sharedMemory, { gradientCompression: "bf16" });
  assert.deepEqual(openSegments, Array(STEPS).fill(0));
});
