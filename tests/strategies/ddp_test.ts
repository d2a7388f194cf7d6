import assert from "node:assert/strict";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import type { ProcessGroup } from "../../runtime/comm/process_group.ts";
import { Module } from "../../runtime/nn/module.ts";
import { accumulateGradient, gradientOf, zeroGradients } from "../../runtime/tensor/gradients.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { DDPStrategy, type DDPStrategyOptions } from "../../strategies/ddp.ts";
import { RankFlags } from "../../strategies/rank_flags.ts";
import type { ModuleSynchronizer } from "../../strategies/strategy.ts";

await tf.setBackend("cpu");

class Net extends Module {
  readonly weight: tf.Variable;
  readonly bias: tf.Variable;
  readonly count = tf.tidy(() => tf.variable(tf.scalar(3, "int32"), false));
  constructor(rank: number, shape = [2, 3]) {
    super();
    this.weight = tf.tidy(() => tf.variable(tf.fill(shape, rank + 1)));
    this.bias = tf.tidy(() => tf.variable(tf.fill([3], 7 - rank)));
  }
}

interface Rank {
  group: ProcessGroup;
  net: Net;
  flags: RankFlags;
}

/** Ranks that live in one process, each with a model of its own. */
async function withRanks(
  worldSize: number,
  use: (ranks: Rank[]) => Promise<void>,
  make = (rank: number) => new Net(rank),
) {
  const before = tf.memory().numTensors;
  const ranks = joinMemoryGroup(worldSize).map((group, rank) => ({ group, net: make(rank), flags: new RankFlags() }));
  try {
    await use(ranks);
  } finally {
    for (const { group, net } of ranks) {
      net.dispose();
      await group[Symbol.asyncDispose]();
    }
  }
  assert.equal(tf.memory().numTensors, before, "tensors are left");
}

function prepare(ranks: Rank[], options?: DDPStrategyOptions): Promise<ModuleSynchronizer[]> {
  return Promise.all(
    ranks.map(({ group, net, flags }) => new DDPStrategy(options).connect(group, flags).prepareModule(net)),
  );
}

Deno.test("set-up gives every rank rank 0's weights and state", () =>
  withRanks(3, async (ranks) => {
    await prepare(ranks);
    for (const { net } of ranks) {
      assert.deepEqual([...net.weight.dataSync()], Array(6).fill(1));
      assert.deepEqual([...net.bias.dataSync()], [7, 7, 7]);
      assert.deepEqual([...net.count.dataSync()], [3]);
    }
  }));

Deno.test("a model that differs is an error on every rank that names the parameter and both ranks", () =>
  withRanks(
    3,
    async (ranks) => {
      const outcomes = await Promise.allSettled(
        ranks.map(({ group, net, flags }) => new DDPStrategy().connect(group, flags).prepareModule(net)),
      );
      for (const outcome of outcomes) {
        assert.equal(outcome.status, "rejected");
        assert.match(String(outcome.reason), /weight float32 \[2,3\] on rank 0 but weight float32 \[2,4\] on rank 2/);
      }
    },
    (rank) => new Net(rank, rank === 2 ? [2, 4] : [2, 3]),
  ));

for (const bucketCapMiB of [25, 1e-6]) {
  Deno.test(`gradients end as the mean over the ranks, in buckets of ${bucketCapMiB} MiB`, () =>
    withRanks(3, async (ranks) => {
      const synchronizers = await prepare(ranks, { bucketCapMiB, firstBucketCapMiB: bucketCapMiB });
      await Promise.all(ranks.map(async ({ net }, rank) => {
        const pass = synchronizers[rank].beginBackward({ sync: true });
        for (const variable of [net.bias, net.weight]) {
          accumulateGradient(variable, tf.fill(variable.shape, rank * 3));
          pass.gradientReady(variable);
        }
        await pass.finish();
        assert.deepEqual([...gradientOf(net.weight)!.dataSync()], Array(6).fill(3));
        assert.deepEqual([...gradientOf(net.bias)!.dataSync()], [3, 3, 3]);
        zeroGradients(net.parameters());
      }));
    }));
}

Deno.test("a variable that only one rank has a gradient for counts as zero on the others", () =>
  withRanks(2, async (ranks) => {
    const synchronizers = await prepare(ranks);
    await Promise.all(ranks.map(async ({ net }, rank) => {
      const pass = synchronizers[rank].beginBackward({ sync: true });
      if (rank === 1) accumulateGradient(net.weight, tf.fill([2, 3], 8));
      await pass.finish();
      assert.deepEqual([...gradientOf(net.weight)!.dataSync()], Array(6).fill(4));
      assert.equal(gradientOf(net.bias), undefined, "nobody had a gradient for the bias");
      zeroGradients(net.parameters());
    }));
  }));

Deno.test("without synchronisation gradients stay, and the next synchronised pass averages their sum", () =>
  withRanks(2, async (ranks) => {
    const synchronizers = await prepare(ranks);
    await Promise.all(ranks.map(async ({ net }, rank) => {
      for (const sync of [false, true]) {
        const pass = synchronizers[rank].beginBackward({ sync });
        accumulateGradient(net.bias, tf.fill([3], rank + 1));
        pass.gradientReady(net.bias);
        await pass.finish();
        if (!sync) assert.deepEqual([...gradientOf(net.bias)!.dataSync()], Array(3).fill(rank + 1));
      }
      assert.deepEqual([...gradientOf(net.bias)!.dataSync()], [3, 3, 3]);
      zeroGradients(net.parameters());
    }));
  }));

Deno.test("a flag raised on one rank is agreed on all after the next backward, and then lowered", () =>
  withRanks(2, async (ranks) => {
    const synchronizers = await prepare(ranks);
    ranks[1].flags.raise("stop");
    const round = () =>
      Promise.all(ranks.map(async ({ flags }, rank) => {
        await synchronizers[rank].beginBackward({ sync: true }).finish();
        return [...flags.agreed];
      }));
    assert.deepEqual(await round(), [["stop"], ["stop"]]);
    assert.deepEqual(await round(), [[], []]);
  }));

Deno.test("a flag is agreed on also when the models of one backward finish one after the other", () =>
  withRanks(2, async (ranks) => {
    const [first, second] = [await prepare(ranks), await prepare(ranks)];
    ranks[0].flags.raise("checkpoint");
    await Promise.all(ranks.map(async ({ flags }, rank) => {
      const passes = [first, second].map((synchronizers) => synchronizers[rank].beginBackward({ sync: true }));
      for (const pass of passes) await pass.finish();
      assert.deepEqual([...flags.agreed], ["checkpoint"]);
    }));
  }));

for (const gradientCompression of ["fp16", "bf16"] as const) {
  for (const bucketCapMiB of [25, 1e-6]) {
    Deno.test(`compressed as ${gradientCompression}, in buckets of ${bucketCapMiB} MiB, missing gradients and flags are those of float32`, () =>
      withRanks(3, async (ranks) => {
        const options = { gradientCompression, bucketCapMiB, firstBucketCapMiB: bucketCapMiB };
        const synchronizers = await prepare(ranks, options);
        ranks[2].flags.raise("stop");
        await Promise.all(ranks.map(async ({ net, flags }, rank) => {
          const pass = synchronizers[rank].beginBackward({ sync: true });
          // So small that a counter beside it, or the number itself, would be lost with one scale for both.
          if (rank === 1) accumulateGradient(net.weight, tf.fill([2, 3], 2 ** -100 * 3));
          await pass.finish();
          assert.deepEqual([...gradientOf(net.weight)!.dataSync()], Array(6).fill(2 ** -100));
          assert.equal(gradientOf(net.bias), undefined, "nobody had a gradient for the bias");
          assert.deepEqual([...flags.agreed], ["stop"]);
          zeroGradients(net.parameters());
        }));
      }));
  }
}

Deno.test("freezing a part between two passes changes what is reduced", () =>
  withRanks(2, async (ranks) => {
    const synchronizers = await prepare(ranks);
    await Promise.all(ranks.map(async ({ net }, rank) => {
      net.weight.trainable = false;
      const pass = synchronizers[rank].beginBackward({ sync: true });
      accumulateGradient(net.bias, tf.fill([3], rank * 2));
      pass.gradientReady(net.bias);
      await pass.finish();
      assert.deepEqual([...gradientOf(net.bias)!.dataSync()], [1, 1, 1]);
      zeroGradients([net.bias]);
    }));
  }));

Deno.test("a second backward before the first has finished is an error, not a mixture", () =>
  withRanks(1, async (ranks) => {
    const [synchronizer] = await prepare(ranks);
    const first = synchronizer.beginBackward({ sync: true });
    assert.throws(() => synchronizer.beginBackward({ sync: true }), /await fabric\.backward/);
    await first.finish();
    await synchronizer.beginBackward({ sync: true }).finish();
  }));

Deno.test("bucket sizes must be positive, and options known", () => {
  for (const bucketCapMiB of [0, -1, NaN]) assert.throws(() => new DDPStrategy({ bucketCapMiB }), RangeError);
  assert.throws(() => new DDPStrategy({ bucketCap: 1 } as DDPStrategyOptions), /did you mean `bucketCapMiB`/);
});

/** Counts the reductions of a group. */
function counting(group: ProcessGroup): { group: ProcessGroup; reductions: () => number } {
  let count = 0;
  const counted = new Proxy(group, {
    get(target, name) {
      if (name === "allReduce") count++;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { group: counted, reductions: () => count };
}

for (const bucketCapMiB of [25, 1e-6]) {
  Deno.test(`gradients are averaged over the samples, in buckets of ${bucketCapMiB} MiB, and only unequal numbers cost a second message`, () =>
    withRanks(3, async (ranks) => {
      const counted = ranks.map(({ group }) => counting(group));
      const synchronizers = await prepare(
        ranks.map((rank, index) => ({ ...rank, group: counted[index].group })),
        { bucketCapMiB, firstBucketCapMiB: bucketCapMiB },
      );
      const buckets = bucketCapMiB === 25 ? 1 : 2;
      const round = async (samples: (number | undefined)[], sync: boolean) => {
        const before = counted[0].reductions();
        const means = await Promise.all(ranks.map(async ({ net, flags }, rank) => {
          flags.samples.add(samples[rank]);
          const pass = synchronizers[rank].beginBackward({ sync });
          if (samples[rank] !== 0) {
            for (const variable of [net.bias, net.weight]) {
              accumulateGradient(variable, tf.fill(variable.shape, [3, 6, 12][rank]));
              pass.gradientReady(variable);
            }
          }
          await pass.finish();
          const mean = [net.weight, net.bias].map((variable) => gradientOf(variable)?.dataSync()[0]);
          if (sync) zeroGradients(net.parameters());
          assert.equal(mean[0], mean[1]);
          return mean[0];
        }));
        return { means, messages: counted[0].reductions() - before };
      };
      assert.deepEqual(await round([8, 8, 8], true), { means: [7, 7, 7], messages: buckets });
      assert.deepEqual(await round([undefined, 2, 4], true), { means: [7, 7, 7], messages: buckets });
      // (3 · 8 + 12 · 8) / 16
      assert.deepEqual(await round([8, 0, 8], true), { means: [7.5, 7.5, 7.5], messages: buckets });
      // (3 · 2 + 6 · 4 + 12 · 6) / 12
      assert.deepEqual(await round([2, 4, 6], true), { means: [8.5, 8.5, 8.5], messages: 2 * buckets });
      assert.deepEqual(await round([0, 0, 0], true), { means: [undefined, undefined, undefined], messages: buckets });
      assert.ok(ranks.every(({ flags }) => !flags.samples.hasAny));
      // Accumulation sends nothing, and its samples count in the pass that does.
      assert.equal((await round([4, 4, 1], false)).messages, 0);
      const { messages } = await round([4, 4, 1], true);
      assert.equal(messages, 2 * buckets);
    }));
}
