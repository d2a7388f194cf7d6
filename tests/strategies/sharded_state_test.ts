import assert from "node:assert/strict";
import { Adam, DDPStrategy, Fabric, readCheckpoint, SGD, tf } from "../../mod.ts";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { accumulateGradient, zeroGradients } from "../../runtime/tensor/gradients.ts";
import { recordedBy, type StepRecorder } from "../../runtime/tensor/step_recording.ts";
import { OptimizerShard } from "../../strategies/optimizer_shard.ts";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { ProcessMemory } from "../comm/process_memory.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { train } from "./sharded.ts";

for (const ranks of [2, 3]) {
  Deno.test(`${ranks} ranks with sharded state end with DDP's weights and checkpoint, byte for byte, and each has its part of the state`, () =>
    inTemporaryFolder(async (folder) => {
      const common = { steps: 12, clip: 0.5 };
      const plain = await train(ranks, { ...common, shard: false, name: "plain" }, { folder });
      const sharded = await train(ranks, { ...common, shard: true, name: "sharded" }, { folder });
      assert.deepEqual(sharded.weights, plain.weights);
      assert.deepEqual(sharded.file, plain.file);
      assert.equal(sharded.stateBytes.reduce((sum, bytes) => sum + bytes), plain.stateBytes[0]);
      // One layer has most of the parameters: the others have at least the rest.
      for (const bytes of sharded.stateBytes) assert.ok(bytes < plain.stateBytes[0] * 0.8, `${sharded.stateBytes}`);
    }));
}

Deno.test("a checkpoint goes from any number of ranks to any other, with and without sharded state", () =>
  inTemporaryFolder(async (folder) => {
    const first = await train(2, { steps: 4, shard: true, name: "first" }, { folder });
    const stations = [[3, true], [1, false], [3, false], [1, true], [2, true]] as const;
    let from = "first";
    for (const [ranks, shard] of stations) {
      const name = `${ranks}-${shard}`;
      assert.deepEqual((await train(ranks, { steps: 0, shard, name, from }, { folder })).weights, first.weights);
      from = name;
    }
    const [sharded, plain] = [
      await train(2, { steps: 4, shard: true, name: "more", from }, { folder }),
      await train(2, { steps: 4, shard: false, name: "as-much", from: "first" }, { folder }),
    ];
    assert.deepEqual(sharded.file, plain.file);
    const { optimizer, step } = await readCheckpoint(`${folder}/more`) as {
      optimizer: { state: object };
      step: number;
    };
    assert.equal(step, 8);
    assert.equal(Object.keys(optimizer.state).length, 6);
  }));

Deno.test("ranks with different numbers of batches end with DDP's bytes", () =>
  inTemporaryFolder(async (folder) => {
    const common = { steps: 7, unevenly: true };
    const plain = await train(2, { ...common, shard: false, name: "plain" }, { folder });
    const sharded = await train(2, { ...common, shard: true, name: "sharded" }, { folder });
    assert.deepEqual(sharded.file, plain.file);
  }));

tensorflowTest(
  "compiled steps with sharded state end with the bytes of DDP's",
  () =>
    inTemporaryFolder(async (folder) => {
      const common = { steps: 8, accelerator: "cpu", compile: true, clip: 0.5 } as const;
      const plain = await train(2, { ...common, shard: false, name: "plain" }, { folder });
      const sharded = await train(2, { ...common, shard: true, name: "sharded" }, { folder });
      assert.match(sharded.err, /was recorded \(\d+ ops\)/);
      assert.doesNotMatch(sharded.err, /warning/);
      assert.deepEqual(sharded.file, plain.file);
    }),
);

Deno.test("the Trainer fits and resumes with sharded state as with DDP; a checkpoint of one rank alone has weights only and says so", () =>
  inTemporaryFolder(async (folder) => {
    const common = { steps: 3, clip: 0.1 }, place = { folder, script: "fit_sharded" };
    const plain = await train(2, { ...common, shard: false, name: "plain" }, place);
    const sharded = await train(2, { ...common, shard: true, name: "sharded" }, place);
    assert.deepEqual(sharded.weights, plain.weights);
    const [a, b] = [await readCheckpoint(`${folder}/plain`), await readCheckpoint(`${folder}/sharded`)];
    assert.deepEqual(b.optimizerStates, a.optimizerStates);
    for (const shard of [true, false]) {
      const name = `resumed-${shard}`, from = shard ? "plain" : "sharded";
      assert.deepEqual((await train(2, { ...common, shard, name, from }, place)).weights, plain.weights);
    }
    assert.match(sharded.err, /holds the weights only: with `shardOptimizerState`/);
    const alone = await readCheckpoint(`${folder}/alone`);
    assert.deepEqual([alone.optimizerStates, typeof alone.stateDict], [undefined, "object"]);
  }));

async function withFabric(use: (fabric: Fabric, net: tf.Sequential) => Promise<void>): Promise<void> {
  const fabric = new Fabric({ accelerator: "wasm", strategy: new DDPStrategy({ shardOptimizerState: true }) });
  await fabric.launch();
  try {
    await use(fabric, tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] }));
  } finally {
    await fabric.close();
  }
}

Deno.test("a step that nobody awaited is an error at the next forward pass and when saving, which says what to write", () =>
  withFabric(async (fabric, net) => {
    const [model, optimizer] = await fabric.setup(net, new SGD({ learningRate: 0.1 }));
    await fabric.backward(model.forward(tf.ones([1, 2])).mean());
    const step = optimizer.step();
    await fabric.barrier(); // However long it has been over.
    for (const train of [true, false]) {
      model.train(train);
      assert.throws(() => model.forward(tf.ones([1, 2])), /A forward pass came before .*`await optimizer\.step\(\)`/s);
    }
    await assert.rejects(fabric.save("/nowhere", { model }), /`fabric\.save` came before/);
    await step;
    model.train();
    await fabric.backward(model.forward(tf.ones([1, 2])).mean());
  }));

Deno.test("an optimizer of tfjs that makes all its state at once is refused with what to use instead; tf.train.adam is not", () =>
  withFabric(async (fabric, net) => {
    const model = await fabric.setupModule(net);
    await assert.rejects(
      fabric.setupOptimizers(tf.train.momentum(0.1, 0.9)),
      /`shardOptimizerState` cannot spread the state of Momentum.*new SGD\(\)/s,
    );
    const optimizer = await fabric.setupOptimizers(tf.train.adam(0.1), { model });
    assert.throws(() => optimizer.stateDict(), /spread over the ranks.*gatherStateDict/s);
    assert.equal((await optimizer.gatherStateDict()).name, "Adam");
  }));

Deno.test("the option is a boolean", () => {
  // deno-lint-ignore no-explicit-any
  assert.throws(() => new DDPStrategy({ shardOptimizerState: "yes" as any }), /TypeError.*must be true or false/);
});

async function withShards(
  chosen: (rank: number, variables: tf.Variable[]) => tf.Variable[],
  use: (shards: PromiseSettledResult<OptimizerShard>[], variables: tf.Variable[][]) => Promise<void>,
  { sizes = [4, 3], sharedMemory }: { sizes?: readonly number[]; sharedMemory?: ProcessMemory } = {},
): Promise<void> {
  await tf.setBackend("cpu");
  const groups = joinMemoryGroup(2, { sharedMemory });
  const all = groups.map(() => sizes.map((size) => tf.tidy(() => tf.variable(tf.ones([size])))));
  const shards = await Promise.allSettled(groups.map((group, rank) => {
    const named = new Map(all[rank].map((variable, i) => [`p${i}`, variable]));
    const optimizer = new Adam({ parameters: chosen(rank, all[rank]) }).bind(named);
    return OptimizerShard.of(group, optimizer, named);
  }));
  await use(shards, all);
  zeroGradients(all.flat());
  tf.dispose(all);
  for (const group of groups) await group[Symbol.asyncDispose]();
}

Deno.test("an optimizer that was given other parameters on one rank is an error on every rank that names them", () =>
  withShards((rank, [a, b]) => rank === 0 ? [a, b] : [b], (shards) => {
    for (const shard of shards) {
      assert.equal(shard.status, "rejected");
      assert.match(String(shard.reason), /what Adam updates differs between ranks.*p0.*on rank 0 but p1.*on rank 1/s);
    }
    return Promise.resolve();
  }));

Deno.test("a step with gradients that only some ranks have is an error that names the rank, not a mixture", () =>
  withShards((_, variables) => variables, async (shards, variables) => {
    for (const variable of variables[0]) accumulateGradient(variable, tf.ones(variable.shape));
    const outcomes = await Promise.allSettled(
      shards.map((shard) => (shard as PromiseFulfilledResult<OptimizerShard>).value.afterStep()),
    );
    zeroGradients(variables[0]);
    assert.match(String((outcomes[0] as PromiseRejectedResult).reason), /rank 1 updated 0 numbers.*not synchronised/s);
  }));

for (const [what, sharedMemory] of [["by messages", undefined], ["in shared memory", new ProcessMemory()]] as const) {
  Deno.test(`a rank whose step is recorded and one whose step is not share parameters that travel one after the other, ${what}`, () =>
    withShards((_, variables) => variables, async (shards, variables) => {
      // Each owner has two of these, and a message holds one.
      for (const of of variables) for (const variable of of) accumulateGradient(variable, tf.zeros(variable.shape));
      for (const [rank, of] of variables.entries()) {
        for (const [i, v] of of.entries()) v.assign(tf.fill(v.shape, 10 * rank + i));
      }
      const exchange: StepRecorder["exchange"] = async (tensors, run) => {
        const values = tensors.map((tensor) => tensor.dataSync<"float32">().slice() as Float32Array<ArrayBuffer>);
        return (await run(values)).map((array) => tf.tensor1d(array));
      };
      const [first, second] = shards.map((shard) => (shard as PromiseFulfilledResult<OptimizerShard>).value);
      await Promise.all([
        recordedBy({ exchange } as unknown as StepRecorder, () => first.afterStep()),
        second.afterStep(),
      ]);
      // The arena, and room for the largest parameter.
      assert.equal(sharedMemory?.made ?? 2, 2);
      const found = variables.map((of) =>
        of.map((v) => [v.slice([0], [1]), v.slice([v.size - 1], [1])].map((t) => t.dataSync()[0]))
      );
      assert.deepEqual(found[1], found[0]);
      const owners = found[0].map(([value], i) => (value - i) / 10);
      assert.deepEqual(owners.toSorted(), [0, 0, 1, 1]);
      for (const [i, [start, end]] of found[0].entries()) {
        assert.deepEqual([start, end], [10 * owners[i] + i, 10 * owners[i] + i]);
      }
    }, { sizes: [5_000_000, 5_000_001, 5_000_002, 5_000_003], sharedMemory }));
}
