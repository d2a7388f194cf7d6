import assert from "node:assert/strict";
import { type Batch, Line, plane, planeLoader, quietTrainer } from "./support/line.ts";
import { Rows } from "./support/rows.ts";
import { DataLoader, datasetFromModule, MNIST } from "../../mod.ts";
import { forgetWarnings, routeMessages, silenceWarnings } from "../../runtime/core/messages.ts";
import type { TrainerOptions } from "../../runtime/trainer/trainer_options.ts";
import { deviceLines } from "../../runtime/trainer/device_lines.ts";
import { fewWorkersHint } from "../../runtime/trainer/few_workers.ts";

/** Samples that are made when they are asked for. */
class Computed {
  readonly length = 8;
  get(index: number) {
    return [Float32Array.of(index / 8, 1), Float32Array.of(1)];
  }
}

async function linesOfFit(options: TrainerOptions, train: unknown = planeLoader()): Promise<string[]> {
  const lines: string[] = [];
  using _ = routeMessages((line) => lines.push(line));
  await using trainer = quietTrainer({ accelerator: "wasm", maxEpochs: 1, ...options });
  await trainer.fit(new Line(), train as DataLoader<Batch>);
  return lines;
}

Deno.test("samples that are computed in the training thread are a hint to take workers, if there are cores to spare", async () => {
  const machine = { cores: 8, localWorldSize: 1 };
  const hint = (loader: unknown, on = machine) => fewWorkersHint(loader as DataLoader, "trainDataloader", on);
  const computed = new DataLoader(new Computed(), { batchSize: 4 });
  assert.match(
    hint(computed)!,
    /The `trainDataloader` does not have many workers .* `numWorkers: 7` in the `DataLoader`/,
  );
  assert.match(hint(computed, { cores: 8, localWorldSize: 2 })!, /`numWorkers: 3`/);
  assert.equal(hint(computed, { cores: 2, localWorldSize: 1 }), undefined);
  assert.equal(hint(computed, { cores: 8, localWorldSize: 4 }), undefined);
  assert.match(hint(new DataLoader([1, 2, 3], { transform: (sample: number) => sample * 2 }))!, /many workers/);

  // In memory there is nothing to compute.
  assert.equal(hint(new DataLoader(plane(8), { batchSize: 4 })), undefined);
  assert.equal(hint(new DataLoader(await MNIST.load({ train: false }), { batchSize: 4 })), undefined);
  assert.equal(hint(new DataLoader([1, 2, 3])), undefined);

  const module = new URL("../../runtime/data/tensor_dataset.ts", import.meta.url);
  const dataset = await datasetFromModule({
    module,
    export: "TensorDataset",
    args: [{ dtype: "float32", shape: [4, 1], data: new Float32Array(4) }],
  });
  assert.equal(hint(new DataLoader(dataset, { numWorkers: 2 })), undefined);
});

Deno.test("a logging interval longer than the epoch is said once, and can be silenced", async () => {
  forgetWarnings();
  const about = (lines: string[]) => lines.filter((line) => line.includes("logging interval"));
  const lines = await linesOfFit({ logger: new Rows(), logEveryNSteps: 50 });
  assert.deepEqual(about(lines), [
    "warning: The number of training batches (4) is smaller than the logging interval Trainer({ logEveryNSteps: 50 }). " +
    "Set a lower value for logEveryNSteps if you want to see logs for the training epoch. [log-interval]",
  ]);
  assert.deepEqual(about(await linesOfFit({ logger: new Rows(), logEveryNSteps: 50 })), []);
  forgetWarnings();
  silenceWarnings("log-interval");
  assert.deepEqual(about(await linesOfFit({ logger: new Rows(), logEveryNSteps: 50 })), []);
  forgetWarnings();
});

Deno.test("which accelerators there are and which is used is said in Lightning's words", () => {
  const found = { accelerator: "wasm", gpus: 0, localRank: 0, visibleGpus: undefined };
  assert.deepEqual(deviceLines(found), {
    common: "GPU available: False, used: False; computing on the processor by wasm",
    own: undefined,
    warning: undefined,
  });
  assert.deepEqual(deviceLines({ ...found, accelerator: "cuda", gpus: 2, localRank: 1 }), {
    common: "GPU available: True (cuda), used: True",
    own: "LOCAL_RANK: 1 - CUDA_VISIBLE_DEVICES: [0,1]",
    warning: undefined,
  });
  assert.equal(
    deviceLines({ ...found, accelerator: "cuda", gpus: 1, visibleGpus: "3" }).own,
    "LOCAL_RANK: 0 - CUDA_VISIBLE_DEVICES: [3]",
  );
  assert.match(deviceLines({ ...found, gpus: 1 }).warning!, /GPU available but not used\..*accelerator: "cuda"/);
  assert.equal(deviceLines({ ...found, accelerator: "webgpu" }).common, "GPU available: True (webgpu), used: True");
});

Deno.test("a fit says once a process what it computes on", async () => {
  const program = `
    import { LightningModule, tf, Trainer } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
    class Line extends LightningModule {
      net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [1], units: 1 })] });
      override trainingStep([x, y]: [tf.Tensor, tf.Tensor]) {
        return this.run(this.net, x).sub(y).square().mean();
      }
      override configureOptimizers() {
        return tf.train.sgd(0.1);
      }
    }
    const batches = [[tf.ones([2, 1]), tf.ones([2, 1])]];
    for (let i = 0; i < 2; i++) {
      await using trainer = new Trainer({ accelerator: "wasm", maxEpochs: 1, logger: false, enableCheckpointing: false });
      await trainer.fit(new Line(), batches);
    }`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const { stderr, code } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--config", new URL("../../deno.json", import.meta.url).pathname, file],
    }).output();
    const text = new TextDecoder().decode(stderr);
    assert.equal(code, 0, text);
    assert.equal(
      text.match(/^GPU available: (True \(cuda\)|False), used: False; computing on the processor by wasm$/gm)?.length,
      1,
      text,
    );
  } finally {
    await Deno.remove(file);
  }
});
