/** Two ranks train; rank 1 computes a fifth of a second longer in every step. */
import { Fabric, SGD, tf } from "../../../mod.ts";

const fabric = new Fabric({ accelerator: "wasm" });
await fabric.launch();
const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] });
const [model, optimizer] = await fabric.setup(net, new SGD({ learningRate: 0.01 }));
for (let step = 0; step < 8; step++) {
  const until = performance.now() + (fabric.globalRank === 1 ? 200 : 0);
  while (performance.now() < until);
  optimizer.zeroGrad();
  await fabric.backward(model.forward(tf.ones([4, 2])).square().mean());
  optimizer.step();
}
await fabric.close();
