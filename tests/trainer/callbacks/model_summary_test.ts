import assert from "node:assert/strict";
import { Module } from "../../../runtime/nn/module.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { ModelSummary } from "../../../runtime/trainer/callbacks/model_summary.ts";
import { summarize } from "../../../runtime/trainer/callbacks/summarize.ts";
import { LightningModule } from "../../../runtime/trainer/lightning_module.ts";
import { Line, lineBatches, Messages, quietTrainer } from "./line.ts";

await tf.setBackend("cpu");

class Mlp extends LightningModule {
  net = tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [784], units: 100, activation: "relu" }),
      tf.layers.dense({ units: 10 }),
    ],
  });
  override forward(x: tf.Tensor) {
    return this.run(this.net, x);
  }
}

const REFERENCE = `\
  | Name | Type       | Params | Mode
--------------------------------------------
0 | net  | Sequential | 79.5 K | train
--------------------------------------------
79.5 K    Trainable params
0         Non-trainable params
79.5 K    Total params
0.318     Total estimated model params size (MB)
3         Modules in train mode
0         Modules in eval mode`;

const trimmed = (text: string) => text.split("\n").map((line) => line.trimEnd()).join("\n");

Deno.test("the table of the reference MLP is Lightning's, without the FLOPs that are not counted", () => {
  assert.equal(trimmed(summarize(new Mlp())), REFERENCE);
});

Deno.test("deeper tables show the layers, and an example batch their sizes", () => {
  class WithExample extends Mlp {
    override exampleInputArray = tf.zeros([5, 784]);
  }
  const model = new WithExample();
  const before = tf.memory().numTensors;
  const lines = trimmed(summarize(model, { maxDepth: -1 })).split("\n");
  assert.deepEqual(lines.slice(0, 5), [
    "  | Name  | Type       | Params | Mode  | In sizes | Out sizes",
    "-".repeat(lines[1].length),
    "0 | net   | Sequential | 79.5 K | train | [5, 784] | [5, 10]",
    "1 | net.0 | Dense      | 78.5 K | train | [5, 784] | [5, 100]",
    "2 | net.1 | Dense      | 1.0 K  | train | [5, 100] | [5, 10]",
  ]);
  assert.equal(tf.memory().numTensors, before);
  assert.equal(model.training, true);
  // The layers are as they were.
  assert.equal(Object.hasOwn(model.net, "call"), false);
});

Deno.test("frozen parts, other parameters, moving averages, nested modules and lists", () => {
  class Block extends Module {
    dense = tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 4 }), tf.layers.batchNormalization()] });
  }
  class Net extends LightningModule {
    blocks = [new Block(), new Block()];
    scale = tf.variable(tf.zeros([3]));
  }
  const net = new Net();
  net.blocks[0].freeze().eval();
  const lines = trimmed(summarize(net)).split("\n");
  assert.deepEqual(lines.filter((line) => !line.startsWith("-")), [
    "  | Name         | Type  | Params | Mode",
    "0 | blocks.0     | Block | 28     | eval",
    "1 | blocks.1     | Block | 28     | train",
    "  | other params | n/a   | 3      | n/a",
    "31        Trainable params",
    "28        Non-trainable params",
    "59        Total params",
    "0.000     Total estimated model params size (MB)",
    "4         Modules in train mode",
    "4         Modules in eval mode",
  ]);
  assert.match(summarize(net, { maxDepth: 3 }), /\d \| blocks\.1\.dense\.0 +\| Dense +\| 20 /);
});

Deno.test("a tfjs model alone can be summarized", () => {
  const model = tf.sequential({ layers: [tf.layers.dense({ inputShape: [1000], units: 2000 })] });
  assert.match(summarize(model), /0 \| 0 +\| Dense \| 2\.0 M +\| train/);
  assert.match(summarize(model), /8\.008 +Total estimated/);
});

Deno.test("counts are shortened as Lightning does", () => {
  const count = (units: number) => {
    class Variables extends Module {
      v = { shape: [units], size: units };
      w = tf.variable(tf.zeros([units]));
    }
    return /(.*)Total params/.exec(summarize(new Variables()))![1].trim();
  };
  assert.deepEqual([123, 1234, 99949, 123456].map(count), ["123", "1.2 K", "99.9 K", "123 K"]);
});

Deno.test("a fit prints it once, above everything else", async () => {
  using messages = new Messages();
  await using trainer = quietTrainer({ maxEpochs: 1, enableCheckpointing: false, callbacks: new ModelSummary() });
  await trainer.fit(new Line(), lineBatches(1));
  assert.equal(messages.lines.filter((line) => line.includes("Total params")).length, 1);
});

Deno.test("a depth that is none is refused", () => {
  assert.throws(() => new ModelSummary({ maxDepth: -2 }), RangeError);
  assert.throws(() => summarize(new Mlp(), { maxDepth: 0.5 }), RangeError);
  assert.throws(() => new ModelSummary({ depth: 1 } as never), TypeError);
});
