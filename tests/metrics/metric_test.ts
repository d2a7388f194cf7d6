import assert from "node:assert/strict";
import {
  Accuracy,
  AUROC,
  AveragePrecision,
  ConfusionMatrix,
  FBetaScore,
  MaxMetric,
  MeanMetric,
  MeanSquaredError,
  type Metric,
  MetricCollection,
  type MetricState,
  MinMetric,
  Perplexity,
  Precision,
  R2Score,
  Recall,
  SumMetric,
  TopKAccuracy,
} from "../../runtime/metrics/metrics.ts";
import { Random } from "../../runtime/seed/random.ts";
import { snapshot } from "../../runtime/tensor/read.ts";
import { TensorScope } from "../../runtime/tensor/scope.ts";
import type { StateDict } from "../../runtime/tensor/state.ts";
import { tf } from "../../runtime/tensor/tf.ts";

await tf.setBackend("cpu");

const classes = (...values: number[]) => tf.tensor1d(values, "int32");
const floats = (...values: number[]) => tf.tensor1d(values);

Deno.test("mean, sum, min and max take numbers and tensors, and weights", async () => {
  const mean = new MeanMetric(), sum = new SumMetric(), min = new MinMetric(), max = new MaxMetric();
  const scope = TensorScope.open("test");
  mean.update(3);
  mean.update(floats(1, 2), floats(10, 0));
  mean.update(floats(4, 6), 2);
  for (const metric of [sum, min, max]) {
    metric.update(3);
    metric.update(tf.tensor2d([[1, -2], [7, 0]]));
  }
  scope.close(); // what the metrics hold outlives the batch
  assert.equal(await mean.compute(), (3 + 10 + 8 + 12) / 15);
  assert.deepEqual([await sum.compute(), await min.compute(), await max.compute()], [9, -2, 7]);
  for (const metric of [mean, sum, min, max]) metric.reset();
  assert.deepEqual([await mean.compute(), await sum.compute(), await min.compute(), await max.compute()], [
    NaN,
    0,
    Infinity,
    -Infinity,
  ]);
});

Deno.test("ten thousand float updates are summed in float64, in order, whenever they are read", async () => {
  const random = new Random(1);
  const numbers = Array.from({ length: 10_000 }, () => Math.fround(random.uniform()));
  const exact = numbers.reduce((a, b) => a + b, 0);
  for (const readEvery of [Infinity, 1000, 77]) {
    const before = tf.memory().numTensors;
    const sum = new SumMetric();
    for (const [i, number] of numbers.entries()) {
      sum.update(number);
      if ((i + 1) % readEvery === 0) await sum.compute();
    }
    assert.ok(tf.memory().numTensors < before + 250, "many updates are few tensors");
    assert.equal(await sum.compute(), exact);
    assert.equal(tf.memory().numTensors, before);
    assert.equal(sum.updates, 10_000);
    sum.reset();
  }
});

Deno.test("updates that come while a metric is being read are neither lost nor counted twice", async () => {
  const accuracy = new Accuracy({ task: "binary" }), sum = new SumMetric();
  const reads: Promise<number>[] = [];
  for (let i = 0; i < 300; i++) {
    accuracy.update(classes(1, 0), classes(1, 1));
    sum.update(1);
    if (i % 7 === 0) reads.push(accuracy.compute(), sum.compute());
    if (i % 50 === 0) await Promise.resolve();
  }
  await Promise.all(reads);
  assert.deepEqual([await accuracy.compute(), await sum.compute()], [0.5, 300]);
  assert.equal((await accuracy.state()).counts.value.data[3], 600);
  accuracy.reset();
  sum.reset();
});

Deno.test("a reset while a metric is being read forgets what came before", async () => {
  const sum = new SumMetric();
  sum.update(5);
  const read = sum.compute();
  sum.reset();
  sum.update(2);
  await read;
  assert.equal(await sum.compute(), 2);
  sum.reset();
});

Deno.test("ranks that exchange states agree with one that saw every sample, and one rank's metric is not changed by it", async () => {
  const whole = new Accuracy({ task: "multiclass", numClasses: 3 });
  const parts = [0, 1, 2].map(() => new Accuracy({ task: "multiclass", numClasses: 3 }));
  const data = [[[0, 1], [0, 2]], [[2], [2]], [[], []]] as const;
  for (const [rank, [preds, target]] of data.entries()) {
    if (preds.length === 0) continue; // a rank without samples
    whole.update(classes(...preds), classes(...target));
    parts[rank].update(classes(...preds), classes(...target));
  }
  const sent: MetricState[] = [];
  const all = Promise.withResolvers<MetricState[]>();
  const gather = (state: MetricState) => {
    sent.push(structuredClone(state));
    if (sent.length === 3) all.resolve(sent);
    return all.promise;
  };
  assert.deepEqual(await Promise.all(parts.map((part) => part.syncWith(gather))), [2 / 3, 2 / 3, 2 / 3]);
  assert.equal(await whole.compute(), 2 / 3);
  assert.equal(await parts[1].compute(), 1);
  parts[0].merge(await parts[1].state());
  assert.equal(await parts[0].compute(), 2 / 3);
  [whole, ...parts].forEach((metric) => metric.reset());
});

Deno.test("states that do not fit each other are errors", async () => {
  const three = new ConfusionMatrix({ task: "multiclass", numClasses: 3 });
  const four = new ConfusionMatrix({ task: "multiclass", numClasses: 4 });
  const state = await four.state();
  assert.throws(
    () => three.merge(state),
    /metric states differ: `counts` is sum of \[3,3\] here and sum of \[4,4\] there/,
  );
  assert.throws(() => three.merge({}), /has no `counts`/);
  assert.throws(() => three.fromStates([]), /no metric state to merge/);
  const mean = await new MeanMetric().state();
  assert.throws(() => three.fromStates([state, mean]), /is in some of them only/);
});

Deno.test("a metric in progress that is saved and loaded goes on to the same bits", async () => {
  const random = new Random(3);
  const batches = Array.from(
    { length: 300 },
    () => [floats(random.normal(), random.normal()), floats(random.normal(), random.normal())],
  );
  const undisturbed = new MeanSquaredError(), saved = new MeanSquaredError(), auroc = new AUROC({ task: "binary" });
  for (const [i, [preds, target]] of batches.entries()) {
    undisturbed.update(preds, target);
    if (i < 200) saved.update(preds, target);
  }
  auroc.update(floats(0.2, 0.7), classes(0, 1));
  const state = await snapshot({ mse: saved.stateDict(), auroc: auroc.stateDict() }) as {
    mse: StateDict;
    auroc: StateDict;
  };
  const resumed = new MeanSquaredError();
  resumed.loadStateDict(state.mse);
  assert.equal(resumed.updates, 200);
  for (const [preds, target] of batches.slice(200)) resumed.update(preds, target);
  assert.equal(await resumed.compute(), await undisturbed.compute());
  const loaded = new AUROC({ task: "binary" });
  loaded.loadStateDict(state.auroc);
  assert.equal(await loaded.compute(), 1);
  assert.throws(() => new MeanMetric().loadStateDict({}), /has no `sums`/);
  [undisturbed, saved, resumed, auroc, loaded].forEach((metric) => metric.reset());
  tf.dispose(batches);
});

Deno.test("a collection gives all values by name, in one exchange, and saves and loads them together", async () => {
  const make = () =>
    new MetricCollection({
      acc: new Accuracy({ task: "multiclass", numClasses: 3 }),
      recall: new Recall({ task: "multiclass", numClasses: 3, average: "none" }),
    });
  const [a, b] = [make(), make()];
  a.update(classes(0, 1, 2), classes(0, 1, 1));
  b.update(classes(2), classes(2));
  const merged = await a.syncWith(async (state) => [state, await b.state()]);
  assert.deepEqual(merged, { acc: 0.75, recall: [1, 0.5, 1] });
  const values: { acc: number; recall: number[] } = await a.compute();
  assert.deepEqual(values, { acc: 2 / 3, recall: [1, 0.5, 0] });
  b.loadStateDict(await snapshot(a.stateDict()) as StateDict);
  assert.deepEqual(await b.compute(), values);
  b.merge(await a.state());
  assert.deepEqual(await b.compute(), values);
  assert.throws(() => new MetricCollection({}), /at least one metric/);
  a.reset();
  b.reset();
});

Deno.test("nothing stays on the device after a reset, and an update leaves a bounded number of tensors", async () => {
  const before = tf.memory().numTensors;
  const metrics: (Metric<unknown> & { update(p: tf.Tensor, t: tf.Tensor): void })[] = [
    new Accuracy({ task: "multiclass", numClasses: 3 }),
    new ConfusionMatrix({ task: "multiclass", numClasses: 3 }),
    new TopKAccuracy({ numClasses: 3, k: 2 }),
  ];
  const preds = tf.randomUniform([8, 3]), target = tf.ones([8], "int32");
  for (let i = 0; i < 50; i++) metrics.forEach((metric) => metric.update(preds, target));
  assert.equal(tf.memory().numTensors, before + 2 + 2 * 3);
  metrics.forEach((metric) => metric.reset());
  tf.dispose([preds, target]);
  assert.equal(tf.memory().numTensors, before);
  await Promise.resolve();
});

Deno.test("targets of images keep their places: the class comes last", async () => {
  const accuracy = new Accuracy({ task: "multiclass", numClasses: 2 });
  accuracy.update(tf.tensor([1, 0, 0, 1, 1, 0, 0, 1], [1, 2, 2, 2]), tf.tensor3d([0, 1, 1, 1], [1, 2, 2], "int32"));
  assert.equal(await accuracy.compute(), 0.75);
  accuracy.reset();
});

Deno.test("values that name no class are an error of compute, shapes that do not fit one of update", async () => {
  const make = () => new Accuracy({ task: "multiclass", numClasses: 3 });
  for (const [preds, target] of [[classes(0, 3), classes(0, 0)], [classes(0, 1), classes(-1, 0)]]) {
    const metric = make();
    metric.update(preds, target);
    await assert.rejects(
      metric.compute(),
      /Accuracy: 1 of the predictions or targets lie outside 0 to 2; `ignoreIndex`/,
    );
    metric.reset();
  }
  const binary = new ConfusionMatrix({ task: "binary" });
  binary.update(floats(0.1, 0.2), classes(0, 2));
  await assert.rejects(binary.compute(), /outside 0 and 1/);
  binary.reset();
  const curve = new AUROC({ task: "multiclass", numClasses: 2 });
  curve.update(tf.ones([1, 2]), classes(2));
  await assert.rejects(curve.compute(), /a target is 2, but must be an integer from 0 to 1/);
  curve.reset();
  await assert.rejects(new AveragePrecision({ task: "binary" }).compute(), /no value before the first sample/);
  await assert.rejects(new R2Score().compute(), /at least two samples, but got 0/);

  assert.throws(
    () => make().update(tf.ones([2, 4]), classes(0, 0)),
    /takes scores \[samples, …, 3\].*float32 preds of \[2,4\] and target of \[2\]/,
  );
  assert.throws(() => make().update(floats(0, 1), classes(0, 0)), RangeError);
  assert.throws(() => make().update(5 as unknown as tf.Tensor, classes(0)), /`preds` must be a tensor/);
  assert.throws(() => new Accuracy({ task: "binary" }).update(floats(1), classes(0, 1)), /same shape/);
  assert.throws(
    () => new Accuracy({ task: "multilabel", numLabels: 3 }).update(tf.ones([2, 2]), tf.ones([2, 2], "int32")),
    /3 labels/,
  );
  assert.throws(() => new AUROC({ task: "binary" }).update(classes(1), classes(1)), /probabilities or logits/);
  assert.throws(() => new MeanSquaredError().update(floats(1), floats(1, 2)), /same shape/);
  assert.throws(() => new R2Score({ numOutputs: 2 }).update(floats(1), floats(1)), /2 outputs/);
  assert.throws(() => new Perplexity().update(tf.ones([2, 3]), classes(1)), /Perplexity takes logits/);
  assert.throws(() => new MeanMetric().update(floats(1, 2), floats(1, 2, 3)), /as many weights or one, but got 3/);
  assert.throws(() => new SumMetric().update("1" as unknown as number), /takes a number or a tensor/);
});

Deno.test("wrong options are errors that say what to type", () => {
  assert.throws(
    () => new Accuracy({ task: "multiklass" as "binary" }),
    /`task` must be "binary", "multiclass" or "multilabel", but got "multiklass"/,
  );
  assert.throws(() => new Accuracy({ task: "multiclass" }), /needs `numClasses`, an integer from 2, but got undefined/);
  assert.throws(
    () => new Accuracy({ task: "multilabel", numClasses: 3 }),
    /`numClasses` has no meaning for task "multilabel"/,
  );
  assert.throws(() => new Accuracy({ task: "binary", treshold: 1 } as never), /did you mean `threshold`/);
  assert.throws(() => new Accuracy({ task: "binary", threshold: 2 }), /`threshold` must be from 0 to 1/);
  assert.throws(() => new Accuracy({ task: "multiclass", numClasses: 3, topK: 4 }), /`topK`/);
  assert.throws(
    () => new Precision({ task: "multiclass", numClasses: 3, average: "mean" as "macro" }),
    /`average` must be "micro", "macro"/,
  );
  assert.throws(() => new AUROC({ task: "multiclass", numClasses: 3, average: "micro" }), /`average` must be "macro"/);
  assert.throws(() => new FBetaScore({ task: "binary", beta: 0 }), /`beta` must be above 0/);
  assert.throws(() => new ConfusionMatrix({ task: "binary", normalize: "rows" as "true" }), /`normalize`/);
  assert.throws(() => new R2Score({ multioutput: "sum" as "raw_values" }), /`multioutput`/);
  assert.throws(() => new R2Score({ numOutputs: 0 }), /`numOutputs`/);
});
