import assert from "node:assert/strict";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { loadedBinding, tensorflowCpu } from "../../runtime/accelerators/tensorflow/accelerator.ts";
import type { TensorflowBinding } from "../../runtime/accelerators/tensorflow/binding.ts";
import { DataType } from "../../runtime/accelerators/tensorflow/data_types.ts";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { FabricModules } from "../../runtime/fabric/fabric_modules.ts";
import { crossEntropy } from "../../runtime/nn/cross_entropy.ts";
import { GradScaler } from "../../runtime/precision/grad_scaler.ts";
import { fromHalfFloats, type HalfFormat, toHalfFloats } from "../../runtime/precision/half_floats.ts";
import type { Precision } from "../../runtime/precision/precision.ts";
import type { PrecisionInUse } from "../../runtime/precision/precision_in_use.ts";
import { gradientOf } from "../../runtime/tensor/gradients.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { RankFlags } from "../../strategies/rank_flags.ts";
import { SingleDeviceStrategy } from "../../strategies/single_device.ts";

/** What TensorFlow's tensors are, op by op. */
interface Seen {
  op: string;
  type: unknown;
}

/** Runs with a precision on TensorFlow and checks that no tensor of it is left. */
async function inPrecision(
  precision: Precision,
  run: (use: PrecisionInUse, binding: TensorflowBinding) => void | Promise<void>,
): Promise<void> {
  const loaded = await tensorflowCpu.load({});
  const binding = loadedBinding()!;
  const before = binding.getNumOfTensors();
  const engine = tf.engine();
  {
    using use = loaded.usePrecision!(precision);
    engine.startScope();
    try {
      await run(use, binding);
    } finally {
      engine.endScope();
    }
  }
  assert.equal(binding.getNumOfTensors(), before, "tensors are left in TensorFlow");
}

async function opsOf(binding: TensorflowBinding, run: () => unknown): Promise<Seen[]> {
  const seen: Seen[] = [];
  binding.observer = {
    executed: ({ name, attributes }) => seen.push({ op: name, type: attributes.find((a) => a.name === "T")?.value }),
  };
  try {
    await run();
  } finally {
    binding.observer = undefined;
  }
  return seen;
}

const rounded = (values: number[], format: HalfFormat) => [
  ...fromHalfFloats(toHalfFloats(new Float32Array(values), format), format),
];

for (
  const [precision, format, type] of [
    ["bf16-mixed", "bf16", DataType.BFLOAT16],
    ["16-mixed", "fp16", DataType.HALF],
  ] as const
) {
  tensorflowTest(
    `${precision}: a product within autocast rounds what goes in and comes out; outside nothing does`,
    () =>
      inPrecision(precision, ({ autocast }) => {
        const a = [1 / 3, 2.7182818, -1e-3, 5.4321], b = [0.1, 0.7, -3.3333, 0.0123];
        const product = () => [...tf.matMul(tf.tensor2d(a, [1, 4]), tf.tensor2d(b, [4, 1])).dataSync()];
        const exact = a.reduce((sum, value, i) => sum + value * b[i], 0);
        const [ra, rb] = [rounded(a, format), rounded(b, format)];
        const half = ra.reduce((sum, value, i) => sum + value * rb[i], 0);
        assert.deepEqual(autocast(product), rounded([half], format));
        assert.ok(Math.abs(product()[0] - exact) < 1e-6);
        assert.equal(autocast(() => tf.matMul(tf.ones([1, 4]), tf.ones([4, 1]))).dtype, "float32");
      }),
  );

  tensorflowTest(
    `${precision}: convolutions and all gradients compute in 16 bits, everything else in float32`,
    () =>
      inPrecision(precision, async ({ autocast }, binding) => {
        const x = tf.randomNormal([2, 8, 8, 3]),
          filter = tf.randomNormal([3, 3, 3, 4]),
          dense = tf.randomNormal([4, 5]);
        const loss = (filter: tf.Tensor, dense: tf.Tensor) =>
          tf.logSumExp(
            tf.matMul(tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, "same").relu().mean([1, 2]), dense),
          );
        const seen = await opsOf(
          binding,
          () => autocast(() => tf.grads(loss)([filter, dense]).map((g) => g.dataSync())),
        );
        const halves = seen.filter((op) => op.type === type).map(({ op }) => op);
        assert.deepEqual([...new Set(halves)].sort(), ["BatchMatMulV2", "Conv2D", "Conv2DBackpropFilter"]);
        assert.equal(halves.filter((op) => op === "BatchMatMulV2").length, 3);
        const others = seen.filter(({ op }) => !halves.includes(op) && op !== "Cast");
        assert.ok(
          others.length > 5 &&
            others.every((op) =>
              op.type === undefined || op.type === DataType.FLOAT || op.type === DataType.BOOL ||
              op.type === DataType.INT32
            ),
        );
      }),
  );
}

tensorflowTest(
  "autocast of an async function holds until its promise settles, also by a throw, and nests",
  () =>
    inPrecision("bf16-mixed", async ({ autocast }, binding) => {
      const product = () => tf.matMul(tf.ones([2, 2]), tf.ones([2, 2]));
      const isHalf = async () => (await opsOf(binding, product)).some(({ type }) => type === DataType.BFLOAT16);
      assert.equal(await isHalf(), false);
      await autocast(async () => {
        await Promise.resolve();
        assert.equal(await isHalf(), true);
        autocast(() => {});
        assert.equal(await isHalf(), true);
      });
      assert.equal(await isHalf(), false);
      assert.throws(() =>
        autocast(() => {
          throw new Error("mine");
        }), /mine/);
      await assert.rejects(() => autocast(() => Promise.reject(new Error("mine"))), /mine/);
      assert.equal(await isHalf(), false);
    }),
);

tensorflowTest(
  "an op that fails within autocast says so and leaves nothing behind",
  () =>
    inPrecision("bf16-mixed", ({ autocast }, binding) => {
      const [a, b] = [tf.ones([2, 3]), tf.ones([4, 5])];
      a.dataSync(), b.dataSync();
      tf.add(a, 1), tf.add(b, 1);
      const ids = tf.backend() as unknown as { getInputTensorIds(tensors: tf.Tensor[]): number[] };
      const attributes = [
        { name: "adj_x", type: binding.TF_ATTR_BOOL, value: false },
        { name: "adj_y", type: binding.TF_ATTR_BOOL, value: false },
        { name: "T", type: binding.TF_ATTR_TYPE, value: DataType.FLOAT },
      ];
      const before = binding.getNumOfTensors();
      assert.throws(
        () => autocast(() => binding.executeOp("BatchMatMulV2", attributes, ids.getInputTensorIds([a, b]), 1)),
        /BatchMatMulV2/,
      );
      assert.equal(binding.getNumOfTensors(), before);
    }),
);

for (
  const [precision, format, type] of [
    ["bf16-true", "bf16", DataType.BFLOAT16],
    ["16-true", "fp16", DataType.HALF],
    ["64-true", undefined, DataType.DOUBLE],
  ] as const
) {
  tensorflowTest(
    `${precision}: tensors are kept and computed in it; values enter and leave as float32`,
    () =>
      inPrecision(precision, async (_, binding) => {
        const values = [1 / 3, -2.7182818, 100.7, 0];
        const expected = format ? rounded(values, format) : [...new Float32Array(values)];
        const t = tf.tensor1d(values);
        const seen = await opsOf(binding, () => {
          assert.deepEqual([...tf.add(t, tf.zerosLike(t)).dataSync()], expected);
          assert.deepEqual([...tf.cast(tf.cast(t, "int32"), "float32").dataSync()], [0, -2, 100, 0]);
          assert.deepEqual([...tf.greater(t, 0).dataSync()], [1, 0, 1, 0]);
        });
        assert.ok(seen.some((op) => op.op === "Add" && op.type === type), Deno.inspect(seen));
        assert.equal(t.dtype, "float32");
        assert.deepEqual([...(await tf.softmax(t.mul(0)).data())], Array(4).fill(0.25));
      }),
  );
}

tensorflowTest("64-true adds what float32 loses", () =>
  inPrecision("64-true", () => {
    const sum = (): number => tf.tidy(() => tf.sub(tf.add(tf.scalar(1), tf.scalar(1e-12)), 1).mul(1e12).dataSync()[0]);
    assert.ok(Math.abs(sum() - 1) < 1e-3, `${sum()}`);
  }));

tensorflowTest(
  "an op that TensorFlow lacks in a type runs in float32",
  () =>
    inPrecision("bf16-true", async (_, binding) => {
      const values = [1, 2, 3, 4];
      const spectrum = () => tf.abs(tf.spectral.fft(tf.complex(tf.tensor1d(values), tf.zeros([4]))));
      const expected = rounded([10, 8 ** 0.5, 2, 8 ** 0.5], "bf16");
      for (let round = 0; round < 2; round++) assert.deepEqual([...spectrum().dataSync()], expected);
      const seen = await opsOf(binding, spectrum);
      assert.ok(seen.some(({ op, type }) => op === "Complex" && type === DataType.FLOAT), Deno.inspect(seen));
    }),
);

tensorflowTest(
  "tensors of before and of another precision go on being usable",
  () =>
    inPrecision("32-true", async () => {
      const loaded = await tensorflowCpu.load({});
      const before = tf.tensor1d([1, 2, 3]).mul(2);
      let made: tf.Tensor;
      {
        using _ = loaded.usePrecision!("bf16-true");
        made = tf.tensor1d([1 / 3]).mul(3);
        const sum = [...before.add(tf.scalar(1 / 3)).dataSync()];
        assert.deepEqual(sum, rounded([2 + 1 / 3, 4 + 1 / 3, 6 + 1 / 3], "bf16"));
      }
      {
        using _ = loaded.usePrecision!("16-true");
        assert.ok(Math.abs(made.add(1).dataSync()[0] - 2) < 1e-2);
      }
      assert.deepEqual([...before.sub(made).dataSync()], [...before.dataSync()].map((v) => v - made.dataSync()[0]));
      assert.deepEqual([...tf.scalar(1 / 3).add(0).dataSync()], [Math.fround(1 / 3)]);
    }),
);

tensorflowTest(
  "in 16-mixed what overflows float16 lowers the scale, and the model learns",
  () =>
    inPrecision("16-mixed", async (precisionInUse) => {
      const flags = new RankFlags(), scaler = new GradScaler({ initScale: 2 ** 24 });
      const [group] = joinMemoryGroup(1);
      const synchronizer = new SingleDeviceStrategy().connect(group, flags);
      const modules = new FabricModules({ synchronizer, flags, scaler, precisionInUse }, () => {});
      const net = tf.sequential({
        layers: [
          tf.layers.dense({ inputShape: [20], units: 16, activation: "tanh" }),
          tf.layers.dense({ units: 3 }),
        ],
      });
      const model = await modules.setupModule(net);
      const [optimizer] = await modules.setupOptimizers([tf.train.sgd(0.5)]);
      const x = tf.randomUniform([64, 20], -1, 1, "float32", 7);
      const y = tf.argMax(tf.matMul(x, tf.randomNormal([20, 3], 0, 1, "float32", 8)), 1);
      const losses: number[] = [];
      let skipped = 0;
      for (let step = 0; step < 60; step++) {
        optimizer.zeroGrad();
        const loss = crossEntropy(model.forward(x) as tf.Tensor2D, y as tf.Tensor1D);
        await modules.backward(loss, {});
        if (flags.agreed.has("nonFinite")) skipped++;
        optimizer.step();
        losses.push((await loss.data())[0]);
      }
      assert.ok(skipped > 0 && skipped < 20, `${skipped} steps were skipped`);
      assert.equal(scaler.scale, 2 ** (24 - skipped));
      assert.ok(losses[59] < losses[0] / 2, `${losses[0]} became ${losses[59]}`);
      assert.ok(model.parameters().every((variable) => gradientOf(variable)!.dataSync().every(Number.isFinite)));
      optimizer.zeroGrad();
      optimizer.dispose();
      net.dispose();
      await group[Symbol.asyncDispose]();
    }),
);
