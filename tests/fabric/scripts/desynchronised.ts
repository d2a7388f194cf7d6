/** Rank 0 and the others call different things. Arguments: what rank 0 calls and what the others do; the test looks for the line that follows the name. */
import { DDPStrategy, Fabric, tf } from "../../../mod.ts";

const fabric = new Fabric({
  accelerator: "wasm",
  strategy: new DDPStrategy({ shardOptimizerState: Deno.args[0] === "step" }),
});
await fabric.launch();
const net = () => tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 3 })] });
const [model, optimizer] = await fabric.setup(net(), tf.train.adam(0.1));
const loss = () => model.forward(tf.ones([2, 4])).mean();

const calls: Record<string, () => Promise<unknown>> = {
  number: () => fabric.allReduce(1),
  two: () => fabric.allReduce(tf.ones([2])),
  loss: () => fabric.allReduce(1, { purpose: "the loss" }),
  many: () => fabric.allReduce(tf.ones([25])),
  three: () => fabric.allReduce(tf.ones([3])),
  sum: () => fabric.allReduce(tf.ones([3]), { op: "sum" }),
  nested: () => fabric.allReduce({ epoch: { counts: [{ seen: 1 }], loss: { train: { last: 1 } } } }),
  barrier: () => fabric.barrier(),
  broadcast: () => fabric.broadcast(tf.ones([4])),
  other: () => fabric.broadcast(tf.ones([4]), { root: 1 }),
  gather: () => fabric.allGather(tf.ones([4])),
  objects: () => fabric.allGatherObjects("done"),
  backward: () => fabric.backward(loss()),
  closure: () => fabric.backward(loss),
  step: () => Promise.resolve(optimizer.step()),
  save: () => fabric.save("half.safetensors", { model }),
  setup: () => fabric.setup(net()),
  first: () => fabric.rankZeroFirst(() => 1),
  joined: async () => void await fabric.join([1]).next(),
  whole: async () => {
    const batches = fabric.join(new Set([1, 2]));
    for await (const _ of batches);
  },
  broken: async () => {
    for await (const _ of fabric.join(new Set([1, 2]))) await fabric.barrier();
  },
};
await fabric.barrier();
if (Deno.args[0] === "step") await fabric.backward(loss());
await calls[Deno.args[fabric.globalRank === 0 ? 0 : 1]]();
