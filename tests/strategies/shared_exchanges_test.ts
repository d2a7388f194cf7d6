import assert from "node:assert/strict";
import { LocalSGDStrategy, Module, SGD, tf } from "../../mod.ts";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { memoryTransports } from "../../runtime/comm/memory_transport.ts";
import type { ProcessGroup } from "../../runtime/comm/process_group.ts";
import { TransportGroup } from "../../runtime/comm/transport_group.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { accumulateGradient, zeroGradients } from "../../runtime/tensor/gradients.ts";
import { OptimizerShard } from "../../strategies/optimizer_shard.ts";
import { RankFlags } from "../../strategies/rank_flags.ts";
import { joinHosts } from "../comm/hosts_of_ranks.ts";
import { delay } from "../comm/late_transport.ts";
import { type Faults, ProcessMemory } from "../comm/process_memory.ts";

await tf.setBackend("cpu");

const OPTIONS = { sharedWholeBytes: 8192, sharedChunkBytes: 4096, collectiveTimeoutMs: 20_000 };

/** Ranks of one process, and the memory that they share. */
interface Ranks {
  groups: ProcessGroup[];
  memory?: ProcessMemory;
}

function sharing(worldSize: number, faults?: Faults): Ranks {
  const memory = new ProcessMemory(faults);
  return { memory, groups: joinMemoryGroup(worldSize, { ...OPTIONS, sharedMemory: memory }) };
}

/** What goes to the last rank comes late. */
function sharingWithLateRank(worldSize: number): Ranks {
  const memory = new ProcessMemory();
  const groups = memoryTransports(worldSize).map((transport) => {
    delay(transport, { isLate: (to) => to === worldSize - 1, delayMs: 3 });
    return new TransportGroup(transport, { ...OPTIONS, sharedMemory: memory });
  });
  return { memory, groups };
}

const WORLDS: Record<string, { make: () => Ranks; isShared: boolean }> = {
  "memory that they share": { make: () => sharing(3), isShared: true },
  "memory that they share, one of them late": { make: () => sharingWithLateRank(3), isShared: true },
  "messages alone": { make: () => ({ groups: joinMemoryGroup(3, OPTIONS) }), isShared: false },
  "several hosts": { make: () => joinHosts([[0, 1], [2]], { ...OPTIONS, faults: () => ({}) }), isShared: false },
  "too little shared memory": {
    make: () => sharing(3, { reserve: () => new Error("No space left on device") }),
    isShared: false,
  },
};

const leave = (groups: readonly ProcessGroup[]) => Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));

/** Steps of ranks with sharded state: each gives what it owns new values, and the others different ones, which must be replaced. */
async function shareSteps(groups: readonly ProcessGroup[]): Promise<void> {
  const sizes = [9000, 8000, 7000, 6000, 5], steps = 6;
  await Promise.all(groups.map(async (group) => {
    const variables = sizes.map((size) => tf.tidy(() => tf.variable(tf.zeros([size]))));
    const named = new Map(variables.map((variable, i) => [`p${i}`, variable]));
    const optimizer = new SGD({ parameters: variables, learningRate: 0.1 }).bind(named);
    const shard = await OptimizerShard.of(group, optimizer, named);
    for (let step = 0; step < steps; step++) {
      // In the middle steps a large one has no gradient, and stays as it is.
      const updated = variables.filter((_, i) => i !== 0 || step < 2 || step > 3);
      const before = variables.map((variable) => variable.dataSync().slice());
      for (const variable of updated) accumulateGradient(variable, tf.ones(variable.shape));
      for (const variable of updated) {
        const values = Float32Array.from({ length: variable.size }, (_, i) => i + 1000 * group.rank + 10 * step);
        tf.tidy(() => variable.assign(tf.tensor1d(values)));
      }
      await shard.afterStep();
      zeroGradients(variables);
      for (const [at, variable] of variables.entries()) {
        const values = variable.dataSync();
        if (!updated.includes(variable)) assert.deepEqual(values, before[at]);
        else {
          const owner = Math.floor((values[0] - 10 * step) / 1000);
          assert.equal(owner, [0, 1, 2, 2, 1][at], `step ${step}: parameter ${at} has ${values[0]}`);
          assert.ok(
            values.every((value, i) => value === i + 1000 * owner + 10 * step),
            `step ${step}, rank ${group.rank}`,
          );
        }
      }
    }
    tf.dispose(variables);
  }));
}

for (const [what, { make, isShared }] of Object.entries(WORLDS)) {
  Deno.test(`ranks with sharded state get what owners updated, in every step: ${what}`, async () => {
    const { groups, memory } = make(), lines: string[] = [];
    using _route = routeMessages((line) => lines.push(line));
    await shareSteps(groups);
    assert.equal(lines.filter((line) => line.includes("do not share memory")).length, what.startsWith("too") ? 1 : 0);
    if (isShared) {
      assert.equal(memory!.openCount, 2 * groups.length, "the arena and one array");
      // The fullest owner's part, and no more.
      assert.ok(memory!.writtenBytes("segment 2") <= 3 * 4 * 13_000);
      assert.ok(memory!.writtenBytes("segment 2") > 0);
    }
    await leave(groups);
    assert.deepEqual([memory?.openCount ?? 0, memory?.trespassed ?? 0], [0, 0]);
  });
}

/** A weight that is worth sharing, and a small one. */
class Net extends Module {
  readonly large = tf.tidy(() => tf.variable(tf.zeros([60, 100])));
  readonly small = tf.tidy(() => tf.variable(tf.zeros([3])));
}

/** Weights and momentum of each rank after some steps of local SGD, in which ranks have different gradients and numbers of samples. */
async function averageSteps(groups: readonly ProcessGroup[]): Promise<Float32Array[][]> {
  return await Promise.all(groups.map(async (group) => {
    const net = new Net(), flags = new RankFlags(), named = net.namedParameters();
    const synchronizer = new LocalSGDStrategy({ localSteps: 2 }).connect(group, flags);
    const model = await synchronizer.prepareModule(net);
    const optimizer = new SGD({ parameters: [...named.values()], learningRate: 0.1, momentum: 0.9 });
    const local = await synchronizer.prepareOptimizer!(optimizer, named);
    for (let step = 0; step < 8; step++) {
      flags.samples.add(step < 4 ? 2 : 1 + group.rank);
      const pass = model.beginBackward({ sync: true });
      for (const variable of named.values()) {
        const values = Float32Array.from(
          { length: variable.size },
          (_, i) => Math.sin(i * 1.7 + group.rank * 3.1 + step),
        );
        accumulateGradient(variable, tf.tensor(values, variable.shape));
        pass.gradientReady(variable);
      }
      await pass.finish();
      optimizer.step();
      zeroGradients([...named.values()]);
      await local.afterStep();
    }
    const results = [...named.values(), ...optimizer.stateVariables].map((v) => v.dataSync<"float32">().slice());
    net.dispose();
    optimizer.dispose();
    return results;
  }));
}

Deno.test("local SGD averages in memory that ranks share to the bytes that it averages to without it, one rank late or not", async () => {
  const results: Record<string, Float32Array[][]> = {};
  for (
    const [what, { groups, memory }] of Object.entries({
      ordinary: { groups: joinMemoryGroup(2, OPTIONS), memory: undefined },
      shared: sharing(2),
      late: sharingWithLateRank(2),
      hosts: { groups: joinHosts([[0], [1]], OPTIONS).groups, memory: undefined },
    })
  ) {
    results[what] = await averageSteps(groups);
    assert.deepEqual(results[what][1], results[what][0], `${what}: the ranks differ`);
    assert.deepEqual(results[what], results.ordinary, what);
    if (memory) {
      assert.equal(memory.openCount, 4, "the arena and one array");
      assert.ok(memory.writtenBytes("segment 2") > 2 * 2 * 4 * 6000 * 0.9, "weights and momentum lie there");
    }
    await leave(groups);
    assert.deepEqual([memory?.openCount ?? 0, memory?.trespassed ?? 0], [0, 0]);
  }
  assert.equal(results.ordinary[0].length, 4);
});
