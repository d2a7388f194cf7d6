import assert from "node:assert/strict";
import type { CompileMode } from "../../runtime/compile/compile_mode.ts";
import { forgetWarnings, routeMessages } from "../../runtime/core/messages.ts";
import { Fabric } from "../../runtime/fabric/fabric.ts";
import { SGD } from "../../runtime/optim/sgd.ts";
import { seed_everything, unseedRandom } from "../../runtime/seed/seed_everything.ts";
import { gradientOf, zeroGradients } from "../../runtime/tensor/gradients.ts";
import { type Exchange, stepRecorder } from "../../runtime/tensor/step_recording.ts";
import { withScope } from "../../runtime/tensor/scope.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { loadedBinding } from "../../runtime/accelerators/tensorflow/accelerator.ts";

interface Scene {
  fabric: Fabric;
  messages: string[];
  w: tf.Variable;
  /** One step: the loss is the mean of w·x, so the gradient is the mean of x. */
  train(x: tf.Tensor, touch?: (loss: tf.Tensor) => unknown): Promise<tf.Tensor>;
  optimizer: { learningRate: number };
}

/** A model of one number, and a check that nothing is left behind. */
async function scene(play: (scene: Scene) => Promise<void>): Promise<void> {
  const messages: string[] = [];
  forgetWarnings();
  using _ = routeMessages((line) => messages.push(line));
  await using fabric = new Fabric({ accelerator: "cpu" });
  await fabric.launch();
  const before = tf.memory().numTensors, handles = loadedBinding()!.getNumOfTensors();
  const net = withScope(() =>
    tf.sequential({
      layers: [tf.layers.dense({ inputShape: [1], units: 1, useBias: false, kernelInitializer: "zeros" })],
    })
  );
  const [model, optimizer] = await fabric.setup(net, new SGD({ learningRate: 1 }));
  const [w] = model.parameters();
  const train: Scene["train"] = async (x, touch) => {
    optimizer.zeroGrad();
    const loss = model.forward(x).mean();
    await touch?.(loss);
    await fabric.backward(loss);
    optimizer.step();
    return loss;
  };
  await withScope(() => play({ fabric, messages, w, train, optimizer }));
  zeroGradients([w]);
  optimizer.dispose();
  net.dispose();
  assert.equal(tf.memory().numTensors, before, "tensors are left behind");
  assert.equal(loadedBinding()!.getNumOfTensors(), handles, "handles are left behind");
}

/** Asserts that the step is not compiled, still computes, and that one warning says why. */
async function assertOpByOp(
  { fabric, messages, w }: Scene,
  step: (x: tf.Tensor, i: number) => Promise<unknown>,
  reason: RegExp,
): Promise<void> {
  let i = 0;
  const compiled = fabric.compile((x: tf.Tensor) => step(x, i), { compile: "graph", name: "step" });
  for (; i < 12; i++) await withScope(() => compiled(tf.ones([2, 1])));
  assert.ok(Math.abs(w.dataSync()[0] + 12) < 1e-4, `${w.dataSync()}`);
  assert.equal(messages.length, 1, messages.join("\n"));
  assert.match(messages[0], /^warning: `step` runs op by op, because it .*\[step-not-compiled\]$/);
  assert.match(messages[0], reason);
}

tensorflowTest(
  "a step that reads a value in its middle runs op by op, and the warning names op and line",
  () =>
    scene(async (stage) => {
      const step = (x: tf.Tensor) => stage.train(x, (loss) => loss.data());
      await assertOpByOp(stage, step, /reads the value of what Mean computed.*\(.*compile_step_test\.ts:\d+:\d+\)/);
    }),
);

tensorflowTest("a step that branches on what it reads runs op by op", () =>
  scene(async (stage) => {
    const step = (x: tf.Tensor) => stage.train(stage.w.dataSync()[0] > 100 ? x.mul(2) : x);
    await assertOpByOp(stage, step, /reads the value of the variable .*compile_step_test\.ts/);
  }));

tensorflowTest("a step that computes with another number each time runs op by op", () =>
  scene(async (stage) => {
    const step = (x: tf.Tensor, i: number) => stage.train(x.mul(1 + i * 1e-9 + 0 * i).add(i).sub(i));
    await assertOpByOp(stage, step, /gives the op \w+ a number or an array that changes.*compile_step_test\.ts/);
  }));

tensorflowTest("a step that calls Math.random runs op by op", () =>
  scene(async (stage) => {
    const step = (x: tf.Tensor) => stage.train(Math.random() < 2 ? x : x.mul(2));
    await assertOpByOp(stage, step, /calls Math\.random\(\).*compile_step_test\.ts/);
  }));

tensorflowTest("a step whose operations differ from call to call runs op by op", () =>
  scene(async (stage) => {
    const step = (x: tf.Tensor, i: number) => stage.train(i % 2 ? x : x.neg().neg());
    await assertOpByOp(stage, step, /computes \w+ in one step and \w+ in the next/);
  }));

tensorflowTest(
  "a step with an op that keeps a state of its own runs op by op, and the warning names the op",
  () =>
    scene(async (stage) => {
      const step = async (x: tf.Tensor) => [
        await stage.train(x),
        tf.multinomial(tf.tensor1d([0.5, 0.5]), 3, 7),
      ];
      await assertOpByOp(stage, step, /Multinomial/);
    }),
);

tensorflowTest("a step that keeps a tensor without returning it runs op by op", () =>
  scene(async (stage) => {
    const kept: tf.Tensor[] = [];
    const step = (x: tf.Tensor) => stage.train(x, (loss) => kept.push(tf.keep(loss.mul(2))));
    await assertOpByOp(stage, step, /keeps a tensor that \w+ made without returning it/);
    for (const tensor of kept) tensor.dispose();
  }));

tensorflowTest("a step that uses another tensor from outside each time runs op by op", () =>
  scene(async (stage) => {
    let outside = tf.ones([2, 1]);
    const step = stage.fabric.compile((x: tf.Tensor) => stage.train(x.mul(outside)), {
      compile: "graph",
      name: "step",
    });
    for (let i = 0; i < 8; i++) {
      outside = tf.ones([2, 1]).mul(1);
      await step(tf.ones([2, 1]));
    }
    assert.match(
      stage.messages.join(),
      /gives the op Mul another tensor in every step that is not among its arguments/,
    );
  }));

for (const [compile, later] of [["xla", 6], ["graph", 0], ["exact", 0]] as [CompileMode, number][]) {
  tensorflowTest(
    `of 10 steps with ${compile} ${later} run while the program goes on, and whoever reads the weights waits for them`,
    () =>
      scene(async (stage) => {
        const binding = loadedBinding()!, executeLater = binding.executeLater;
        let count = 0;
        binding.executeLater = (...call) => (count++, executeLater.apply(binding, call));
        try {
          const step = stage.fabric.compile((x: tf.Tensor) => stage.train(x), { compile });
          for (let i = 1; i <= 10; i++) {
            const loss = await withScope(async () => tf.keep(await step(tf.ones([2, 1]))));
            // What TensorFlow.js computes at once takes a weight that is not there yet.
            if (i % 5 === 0) assert.ok(Math.abs(stage.w.mul(2).dataSync()[0] + 2 * i) < 1e-4);
            if (i === 7) assert.ok(Math.abs(stage.w.dataSync()[0] + i) < 1e-4);
            assert.deepEqual(loss.shape, []);
            loss.dispose();
          }
        } finally {
          binding.executeLater = executeLater;
        }
        // Three that were recorded (the first found no gradients), and the one in which XLA compiled, ran at once.
        assert.equal(count, later);
      }),
  );
}

for (const compile of ["graph", "xla"] as CompileMode[]) {
  tensorflowTest(
    `a learning rate that is set between steps holds from the next one on, with ${compile}`,
    () =>
      scene(async ({ fabric, w, train, optimizer, messages }) => {
        const step = fabric.compile(train, { compile });
        let expected = 0;
        for (let i = 0; i < 12; i++) {
          optimizer.learningRate = 1 / (i + 1);
          expected -= 1 / (i + 1);
          await withScope(() => step(tf.ones([3, 1])));
          assert.ok(Math.abs(w.dataSync()[0] - expected) < 1e-5, `step ${i}: ${w.dataSync()[0]}, expected ${expected}`);
        }
        assert.match(messages.join("\n"), /^`train` was recorded/);
      }),
  );
}

tensorflowTest(
  "weights that are set between steps are what the next step starts from, and a copy of them stays",
  () =>
    scene(async ({ fabric, w, train }) => {
      const step = fabric.compile(train, { compile: "graph" });
      for (let i = 0; i < 5; i++) await withScope(() => step(tf.ones([1, 1])));
      const copy = w.clone();
      await withScope(() => step(tf.ones([1, 1])));
      assert.deepEqual([w.dataSync()[0], copy.dataSync()[0]], [-6, -5]);
      w.assign(tf.fill([1, 1], 10));
      await withScope(() => step(tf.ones([1, 1])));
      assert.equal(w.dataSync()[0], 9);
      assert.equal(gradientOf(w)!.dataSync()[0], 1);
    }),
);

tensorflowTest(
  "what a compiled step returns has the shape of what it returned, and belongs to the caller's scope",
  () =>
    scene(async ({ fabric, train }) => {
      const step = fabric.compile(
        async (x: tf.Tensor) => ({ loss: await train(x), more: [x.neg(), "text", null], twice: x.reshape([1, 2]) }),
        { compile: "graph" },
      );
      const before = tf.memory().numTensors;
      for (let i = 0; i < 5; i++) {
        await withScope(async () => {
          const { loss, more, twice } = await step(tf.tensor2d([[i], [i + 2]]));
          assert.equal(loss.shape.length, 0);
          assert.deepEqual((more[0] as tf.Tensor).arraySync(), [[-i], [-i - 2]].map(([x]) => [x === 0 ? -0 : x]));
          assert.deepEqual(more.slice(1), ["text", null]);
          assert.deepEqual(twice.arraySync(), [[i, i + 2]]);
        });
      }
      assert.equal(tf.memory().numTensors, before + 1); // the gradient
    }),
);

tensorflowTest(
  "dropout drops others in every compiled step, and the same by the same seed",
  () =>
    scene(async ({ fabric }) => {
      const layer = tf.layers.dropout({ rate: 0.5 });
      const run = async (compile: CompileMode) => {
        const step = fabric.compile(
          (x: tf.Tensor) => tf.dropout(layer.apply(x, { training: true }) as tf.Tensor, 0.1),
          { compile },
        );
        seed_everything(5, { verbose: false });
        const masks: string[] = [];
        for (let i = 0; i < 6; i++) {
          await withScope(async () => masks.push(String((await step(tf.ones([64]))).dataSync())));
        }
        return masks;
      };
      const masks = await run("graph");
      assert.equal(new Set(masks).size, 6);
      assert.deepEqual(await run("graph"), masks);
      assert.deepEqual(await run("xla"), masks);
      unseedRandom();
    }),
);

tensorflowTest("random numbers of a step are distributed as they should be", () =>
  scene(async ({ fabric }) => {
    const step = fabric.compile(() => [
      tf.randomUniform([100_000], -1, 3),
      tf.randomNormal([100_000], 2, 3),
      tf.truncatedNormal([100_000]),
    ], { compile: "graph" });
    seed_everything(3, { verbose: false });
    for (let i = 0; i < 4; i++) {
      await withScope(async () => {
        const [uniform, normal, truncated] = await step();
        const statistics = (x: tf.Tensor) => {
          const { mean, variance } = tf.moments(x);
          return [x.min(), x.max(), mean, variance].map((value) => value.dataSync()[0]);
        };
        const close = (actual: number, expected: number) =>
          assert.ok(Math.abs(actual - expected) < 0.06, `${actual} ${expected}`);
        const u = statistics(uniform), n = statistics(normal), t = statistics(truncated);
        assert.ok(u[0] >= -1 && u[1] < 3);
        close(u[2], 1);
        close(u[3], 16 / 12);
        close(n[2], 2);
        close(n[3] / 9, 1);
        assert.ok(t[0] >= -2 && t[1] <= 2);
        close(t[2], 0);
        close(t[3], 0.774); // the variance of a normal distribution that is cut at two deviations
      });
    }
    unseedRandom();
  }));

tensorflowTest(
  "an error in a step is thrown as it is, and the next call goes on",
  () =>
    scene(async ({ fabric, train, w }) => {
      const step = fabric.compile((x: tf.Tensor, fail: boolean) => {
        if (fail) throw new RangeError("enough");
        return train(x);
      }, { compile: "graph" });
      for (let i = 0; i < 4; i++) await withScope(() => step(tf.ones([1, 1]), false));
      await assert.rejects(step(tf.ones([1, 1]), true), new RangeError("enough"));
      await withScope(() => step(tf.ones([1, 1]), false));
      assert.equal(w.dataSync()[0], -5);
    }),
);

tensorflowTest("two calls at once are an error", () =>
  scene(async ({ fabric, train }) => {
    const step = fabric.compile(train, { compile: "graph" });
    const first = step(tf.ones([1, 1]));
    await assert.rejects(step(tf.ones([1, 1])), /`train` was called while an earlier call had not finished/);
    await first;
  }));

tensorflowTest(
  "clipping to a norm that is not finite throws, and changes no weight",
  () =>
    scene(async ({ fabric, w }) => {
      const net = tf.sequential({
        layers: [tf.layers.dense({ inputShape: [1], units: 1, kernelInitializer: "ones" })],
      });
      const [model, optimizer] = await fabric.setup(net, new SGD({ learningRate: 1 }));
      const step = fabric.compile(async (x: tf.Tensor) => {
        optimizer.zeroGrad();
        const loss = model.forward(x).mean();
        await fabric.backward(loss);
        await fabric.clipGradients(model, { maxNorm: 0.1 });
        optimizer.step();
        return loss;
      }, { compile: "graph" });
      for (let i = 0; i < 4; i++) await withScope(() => step(tf.ones([1, 1])));
      const before = model.parameters().map((variable) => variable.dataSync()[0]);
      await assert.rejects(step(tf.fill([1, 1], Infinity)), /The norm of the gradients is Infinity/);
      assert.deepEqual(model.parameters().map((variable) => variable.dataSync()[0]), before);
      zeroGradients(model.parameters());
      optimizer.dispose();
      net.dispose();
      void w;
    }),
);

tensorflowTest("train and eval mode are recorded apart", () =>
  scene(async ({ fabric }) => {
    const net = tf.sequential({ layers: [tf.layers.dropout({ rate: 0.9, inputShape: [32] })] });
    const model = await fabric.setup(net);
    const step = fabric.compile((x: tf.Tensor) => model.forward(x).sum(), { compile: "graph" });
    for (let i = 0; i < 6; i++) {
      for (const training of [true, false]) {
        model.train(training);
        await withScope(async () => {
          const sum = (await step(tf.ones([1, 32]))).dataSync()[0];
          assert.equal(sum === 32, !training, `${sum}`);
        });
      }
    }
    net.dispose();
  }));

tensorflowTest(
  "too many kinds of arguments are one warning, and the step goes on op by op",
  () =>
    scene(async ({ fabric, train, messages, w }) => {
      const step = fabric.compile(train, { compile: "graph" });
      for (let i = 1; i <= 40; i++) await withScope(() => step(tf.ones([i, 1])));
      assert.ok(Math.abs(w.dataSync()[0] + 40) < 1e-4);
      assert.equal(messages.filter((line) => line.includes("[step-signatures]")).length, 1, messages.join("\n"));
    }),
);

tensorflowTest("auto measures both ways and says which it keeps", () =>
  scene(async ({ fabric, train, messages }) => {
    const step = fabric.compile(train);
    for (let i = 0; i < 40; i++) await withScope(() => step(tf.ones([8, 1])));
    assert.equal(messages.length, 1, messages.join("\n"));
    assert.match(
      messages[0],
      /^`train` was recorded \(\d+ ops\) and runs (as a graph|by XLA) \([\d.]+ ms as a graph, [\d.]+ ms by XLA\)$/,
    );
  }));

tensorflowTest(
  "a seeded run does not go by the clock: a rule says how its steps run",
  () =>
    scene(async ({ fabric, train, messages }) => {
      seed_everything(3, { verbose: false });
      try {
        const step = fabric.compile(train);
        for (let i = 0; i < 4; i++) await withScope(() => step(tf.ones([8, 1])));
      } finally {
        unseedRandom();
      }
      assert.match(messages.join("\n"), /runs by XLA \(not measured, because the run is seeded\)$/);
    }),
);

tensorflowTest("an exact step has the same bits as op by op", async () => {
  const weights: number[][] = [];
  for (const compile of ["exact", false] as const) {
    await scene(async ({ fabric, train, w }) => {
      const step = fabric.compile(train, { compile });
      for (let i = 0; i < 20; i++) await withScope(() => step(tf.randomNormal([8, 1], 0, 1, "float32", i + 1)));
      weights.push(Array.from(w.dataSync()));
    });
  }
  assert.deepEqual(weights[0], weights[1]);
});

tensorflowTest(
  "a constant that a step hands to the process does not displace what comes back",
  () =>
    scene(async ({ fabric }) => {
      const swap: Exchange = ([values, constant]) => Promise.resolve([constant, values]);
      const step = fabric.compile(async (x: tf.Tensor) => {
        const own = x.flatten().mul(2), constant = tf.tensor1d([5, 6]), recorder = stepRecorder();
        const [first, second] = recorder ? await recorder.exchange([own, constant], swap) : [constant, own];
        return [first.add(1), second.mul(10)];
      }, { compile: "graph" });
      for (let i = 0; i < 6; i++) {
        const [first, second] = await step(tf.fill([2, 1], i));
        assert.deepEqual([...first.dataSync(), ...second.dataSync()], [6, 7, 20 * i, 20 * i], `step ${i}`);
      }
    }),
);

tensorflowTest(
  "a step may exchange twice in a row, and get back other arrays than it hands out",
  () =>
    scene(async ({ fabric }) => {
      const spread: Exchange = ([values]) => Promise.resolve([values.subarray(0, 1), values.subarray(1), values]);
      const none: Exchange = (values) => Promise.resolve(values.map(() => new Float32Array(0)).slice(1));
      const step = fabric.compile(async (x: tf.Tensor) => {
        const own = x.flatten().mul(2), recorder = stepRecorder();
        if (!recorder) return [own.slice([0], [1]), own.slice([1]).add(1), own];
        const [first, rest] = await recorder.exchange([own], spread);
        await recorder.exchange([own], none);
        const [, , whole] = await recorder.exchange([own], spread);
        return [first, rest.add(1), whole];
      }, { compile: "graph" });
      for (let i = 0; i < 6; i++) {
        const results = await step(tf.tensor2d([i, i + 1, i + 2], [3, 1]));
        assert.deepEqual(results.map((result) => [...result.dataSync()]), [
          [2 * i],
          [2 * i + 3, 2 * i + 5],
          [2 * i, 2 * i + 2, 2 * i + 4],
        ]);
      }
    }),
);

Deno.test("what is wrong with the options of fabric.compile is said, with what would be right", async () => {
  await using fabric = new Fabric({ accelerator: "wasm" });
  const step = () => Promise.resolve(1);
  assert.throws(
    () => fabric.compile(step, { compile: "fast" as CompileMode }),
    /must be "auto", "xla", "graph", "exact" or false.*"fast"/,
  );
  assert.throws(() => fabric.compile(step, { compiled: false } as object), /did you mean `compile`/);
  assert.throws(
    () => fabric.compile(1 as unknown as typeof step),
    /needs the training step as a function, but got number/,
  );
});

Deno.test("on another accelerator, and with compile: false, the step is what it was", async () => {
  await using fabric = new Fabric({ accelerator: "wasm" });
  await fabric.launch();
  const step = (x: number) => Promise.resolve(x + 1);
  assert.equal(fabric.compile(step, { compile: false }), step);
  assert.equal(await fabric.compile(step)(1), 2);
});
