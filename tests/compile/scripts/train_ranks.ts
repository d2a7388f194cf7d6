/** Trains a perceptron with dropout on every rank and prints, on rank 0, the losses and a digest of the weights of each rank. */
import { createHash } from "node:crypto";
import { Fabric } from "../../../runtime/fabric/fabric.ts";
import { crossEntropy } from "../../../runtime/nn/functional.ts";
import { Adam } from "../../../runtime/optim/adam.ts";
import { seed_everything } from "../../../runtime/seed/seed_everything.ts";
import { withScope } from "../../../runtime/tensor/scope.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { batch } from "../train.ts";

const [compile, mixed] = Deno.args;
const fabric = new Fabric({ accelerator: "cpu" });
await fabric.launch();
seed_everything(1, { verbose: false });
const net = tf.sequential({
  layers: [
    tf.layers.flatten({ inputShape: [28, 28, 1] }),
    // So large that on Linux the ranks share the bucket's memory.
    tf.layers.dense({ units: 200, activation: "relu" }),
    tf.layers.dropout({ rate: 0.1 }),
    tf.layers.dense({ units: 10 }),
  ],
});
const [model, optimizer] = await fabric.setup(net, new Adam());
// With "mixed" the ranks compile differently: the update must not.
const mode = compile === "false" || mixed && fabric.globalRank === 1 ? false : compile as "graph" | "xla";
const step = fabric.compile(async (x: tf.Tensor, y: tf.Tensor) => {
  optimizer.zeroGrad();
  const loss = crossEntropy(model.forward(x), y);
  await fabric.backward(loss);
  optimizer.step();
  return loss;
}, { compile: mode });
const losses: number[] = [];
for (let i = 0; i < 50; i++) {
  if (i === 20 && fabric.globalRank === 1) fabric.raiseFlag("checkpoint");
  await withScope(async () => {
    const loss = await step(...batch(i * fabric.worldSize + fabric.globalRank, 32));
    losses.push(loss.dataSync()[0]);
  });
  if (fabric.agreedFlags.has("checkpoint") !== (i === 20)) throw new Error(`a flag was lost at step ${i}`);
}
const hash = createHash("sha256");
for (const variable of model.parameters()) hash.update(new Uint8Array(variable.dataSync<"float32">().slice().buffer));
const isShared = Deno.build.os === "linux" &&
  Deno.readTextFileSync("/proc/self/maps").match(/\/shm\/weft-/g)?.length === 2;
const digests = await fabric.allGatherObjects(hash.digest("hex"));
if (fabric.isGlobalZero) console.log(`RESULT ${JSON.stringify({ losses, digests, isShared })}`);
await fabric.close();
