/**
 * Steps of DDP and their parts, on one rank: `scaling_program.ts MODEL RANKS STEPS`. Each rank prints a JSON line, {@linkcode RankSteps}. The batch, 100 a rank,
 * is handed over from memory.
 */
import { GraphFunction } from "../runtime/accelerators/tensorflow/graph_function.ts";
import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import { Fabric } from "../runtime/fabric/fabric.ts";
import { crossEntropy } from "../runtime/nn/functional.ts";
import { Adam } from "../runtime/optim/adam.ts";
import { withScope } from "../runtime/tensor/scope.ts";
import { tf } from "../runtime/tensor/tf.ts";
import { DDPStrategy } from "../strategies/ddp.ts";
import type { RankFlags } from "../strategies/rank_flags.ts";
import { CLASSES, denseNetwork, INPUTS } from "./dense_network.ts";

/** What a rank saw. */
export interface RankSteps {
  rank: number;
  /** Milliseconds a step, nothing looked at. */
  plainMs: number;
  /** Of each of other steps: milliseconds until the gradients were computed, until they were read, until all ranks had their mean, until the weights were new. */
  parts: [compute: number, readback: number, allReduce: number, update: number][];
}

const [model, ranks, steps] = Deno.args;
const BATCH = 100, BATCHES = 20, WARM_UP = 60;

/** When what happened in the step that runs. */
const at = { computed: 0, sent: 0, reduced: 0 };

class TimedDDP extends DDPStrategy {
  override connect(group: ProcessGroup, flags: RankFlags) {
    const allReduce = group.allReduce.bind(group);
    group.allReduce = async (data, options) => {
      at.sent ||= performance.now();
      const reduced = await allReduce(data, options);
      at.reduced = performance.now();
      return reduced;
    };
    return super.connect(group, flags);
  }
}

const call = GraphFunction.prototype.call;
GraphFunction.prototype.call = function (...args) {
  const outputs = call.apply(this, args);
  at.computed ||= performance.now();
  return outputs;
};

const fabric = new Fabric({ accelerator: "cpu", strategy: Number(ranks) > 1 ? new TimedDDP() : "auto" });
await fabric.launch();
const net = denseNetwork(model);
const [ready, optimizer] = await fabric.setup(net, new Adam({ learningRate: 1e-3 }));
const step = fabric.compile(async (x: tf.Tensor, y: tf.Tensor) => {
  optimizer.zeroGrad();
  const loss = crossEntropy(ready.forward(x), y);
  await fabric.backward(loss);
  optimizer.step();
  return loss;
});

const inputs = Float32Array.from({ length: BATCHES * BATCH * INPUTS }, () => Math.random());
const labels = Int32Array.from({ length: BATCHES * BATCH }, () => Math.random() * CLASSES);
const bias = net.weights.at(-1)!;
/** A step; with `wait` until the weights are new, which otherwise happens while the next batch is prepared. */
const run = (i: number, wait: boolean) =>
  withScope(async () => {
    const from = i % BATCHES * BATCH;
    const x = tf.tensor(inputs.subarray(from * INPUTS, (from + BATCH) * INPUTS), [BATCH, INPUTS]);
    const y = tf.tensor(labels.subarray(from, from + BATCH), [BATCH], "int32");
    at.computed = at.sent = at.reduced = 0;
    const begun = performance.now();
    await step(x, y);
    if (wait) bias.read().dataSync();
    return [begun, performance.now()];
  });

for (let i = 0; i < WARM_UP; i++) await run(i, false);
await fabric.barrier();
const begun = performance.now();
for (let i = 0; i < Number(steps); i++) await run(i, i === Number(steps) - 1);
const plainMs = (performance.now() - begun) / Number(steps);
const parts: RankSteps["parts"] = [];
for (let i = 0; i < Number(steps) / 2; i++) {
  const [begun, ended] = await run(i, true), { computed, sent, reduced } = at;
  parts.push(
    Number(ranks) > 1 ? [computed - begun, sent - computed, reduced - sent, ended - reduced] : [ended - begun, 0, 0, 0],
  );
}
const said: RankSteps = { rank: fabric.globalRank, plainMs, parts };
console.log(JSON.stringify(said));
await fabric.close();
