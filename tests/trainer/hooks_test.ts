import assert from "node:assert/strict";
import { type Batch, Line, planeLoader, quietTrainer } from "./support/line.ts";
import { tf } from "../../mod.ts";
import { StepLR } from "../../runtime/optim/schedulers.ts";
import { routeMessages } from "../../runtime/core/messages.ts";
import { Callback } from "../../runtime/trainer/callback.ts";
import { ModelCheckpoint } from "../../runtime/trainer/callbacks/model_checkpoint.ts";
import { LightningDataModule } from "../../runtime/trainer/lightning_data_module.ts";
import { LightningModule } from "../../runtime/trainer/lightning_module.ts";
import type { Trainer } from "../../runtime/trainer/trainer.ts";
import type { TrainerOptions } from "../../runtime/trainer/trainer_options.ts";

const NOT_HOOKS = new Set([
  "constructor",
  "log",
  "logDict",
  "print",
  "optimizers",
  "lrSchedulers",
  "saveHyperparameters",
]);

/** Makes every method of `base` on `target` note its name when it has returned, as Lightning's own test does. */
function recordAll(target: object, base: object, note: (name: string, args: unknown[]) => void): void {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(base))) {
    if (typeof value !== "function" || NOT_HOOKS.has(name)) continue;
    const original = (target as Record<string, unknown>)[name] as (...args: unknown[]) => unknown;
    Object.defineProperty(target, name, {
      enumerable: false,
      configurable: true,
      writable: true,
      value: function (...args: unknown[]) {
        const result = original.apply(this, args);
        if (result instanceof Promise) return result.finally(() => note(name, args));
        note(name, args);
        return result;
      },
    });
  }
}

class Recorded extends Line {
  override configureOptimizers(): ReturnType<LightningModule["configureOptimizers"]> {
    const optimizer = tf.train.sgd(0.1);
    return { optimizer, lrScheduler: new StepLR(optimizer, { stepSize: 1, gamma: 0.5 }) };
  }
  override trainDataloader() {
    return planeLoader({ samples: 8 });
  }
  override valDataloader() {
    return planeLoader({ samples: 8 });
  }
  override testDataloader() {
    return planeLoader({ samples: 8 });
  }
  override predictDataloader() {
    return planeLoader({ samples: 8 });
  }
}

interface Recording {
  called: string[];
  trainer: Trainer;
  model: LightningModule;
}

function record(model: LightningModule, options: TrainerOptions = {}): Recording {
  const called: string[] = [];
  const indices = (name: string, args: unknown[]) =>
    /BatchTransfer|transferBatch/.test(name) || !/Batch(Start|End)$|Step$/.test(name) ||
      /optimizerStep|OptimizerStep/.test(name)
      ? ""
      : ` ${args.find((arg) => typeof arg === "number")}`;
  recordAll(model, LightningModule.prototype, (name, args) => called.push(name + indices(name, args)));
  const forward = model.forward;
  Object.defineProperty(model, "forward", {
    enumerable: false,
    value: function (...args: unknown[]) {
      const result = forward.apply(this, args);
      called.push("forward");
      return result;
    },
  });
  const callback = new Callback();
  recordAll(callback, Callback.prototype, (name, args) => called.push(`C.${name}${indices(name, args)}`));
  callback.stateDict = () => {
    called.push("C.stateDict");
    return { some: 1 };
  };
  const callbacks = [callback, ...(options.callbacks as Callback[] ?? [])];
  const trainer = quietTrainer({ maxEpochs: 1, ...options, callbacks });
  called.length = 0;
  return { called, trainer, model };
}

async function silently<T>(f: () => Promise<T>): Promise<T> {
  using _ = routeMessages(() => {});
  return await f();
}

const transfer = ["onBeforeBatchTransfer", "transferBatchToDevice", "onAfterBatchTransfer"];

function trainBatch(i: number, last = false): string[] {
  return [
    ...transfer,
    `C.onTrainBatchStart ${i}`,
    `onTrainBatchStart ${i}`,
    "forward",
    `trainingStep ${i}`,
    "C.onBeforeZeroGrad",
    "onBeforeZeroGrad",
    "optimizerZeroGrad",
    "C.onBeforeBackward",
    "onBeforeBackward",
    "backward",
    "C.onAfterBackward",
    "onAfterBackward",
    "C.onBeforeOptimizerStep",
    "onBeforeOptimizerStep",
    "clipGradients",
    "configureGradientClipping",
    "optimizerStep",
    ...(last ? ["lrSchedulerStep undefined"] : []),
    `C.onTrainBatchEnd ${i}`,
    `onTrainBatchEnd ${i}`,
  ];
}

function evaluation(stage: "Validation" | "Test"): string[] {
  const step = stage === "Validation" ? "validationStep" : "testStep";
  return [
    `C.on${stage}EpochStart`,
    `on${stage}EpochStart`,
    ...[0, 1].flatMap((i) => [
      ...transfer,
      `C.on${stage}BatchStart ${i}`,
      `on${stage}BatchStart ${i}`,
      "forward",
      `${step} ${i}`,
      `C.on${stage}BatchEnd ${i}`,
      `on${stage}BatchEnd ${i}`,
    ]),
    `C.on${stage}EpochEnd`,
    `on${stage}EpochEnd`,
  ];
}

const validation = [
  "onValidationModelEval",
  "C.onValidationStart",
  "onValidationStart",
  ...evaluation("Validation"),
  "C.onValidationEnd",
  "onValidationEnd",
  "onValidationModelTrain",
];

Deno.test("fit calls the hooks of Lightning in Lightning's order", async () => {
  const dirpath = await Deno.makeTempDir();
  const checkpoint = new ModelCheckpoint({ dirpath, saveTopK: -1, monitor: undefined });
  const { called, trainer, model } = record(new Recorded(), { enableCheckpointing: true, callbacks: [checkpoint] });
  await silently(() => trainer.fit(model));
  await trainer.close();
  await Deno.remove(dirpath, { recursive: true });
  assert.deepEqual(called, [
    "configureCallbacks",
    "prepareData",
    "C.setup",
    "setup",
    "configureModel",
    "configureOptimizers",
    "C.onFitStart",
    "onFitStart",
    "C.onSanityCheckStart",
    "valDataloader",
    ...validation,
    "C.onSanityCheckEnd",
    "trainDataloader",
    "C.onTrainStart",
    "onTrainStart",
    "C.onTrainEpochStart",
    "onTrainEpochStart",
    ...trainBatch(0),
    ...trainBatch(1, true),
    "onValidationModelZeroGrad",
    ...validation,
    "C.onTrainEpochEnd",
    "onTrainEpochEnd",
    "C.stateDict",
    "C.onSaveCheckpoint",
    "onSaveCheckpoint",
    "C.onTrainEnd",
    "onTrainEnd",
    "C.onFitEnd",
    "onFitEnd",
    "C.teardown",
    "teardown",
  ]);
});

Deno.test("manual optimization calls the hooks around what the step does itself", async () => {
  class Manual extends Recorded {
    override automaticOptimization = false;
    override async trainingStep(batch: Batch): Promise<void> {
      const optimizer = this.optimizers() as Exclude<ReturnType<LightningModule["optimizers"]>, unknown[]>;
      const loss = this.lossOf(batch);
      optimizer.zeroGrad();
      await this.manualBackward(loss);
      await optimizer.step();
    }
    override configureOptimizers() {
      return tf.train.sgd(0.1);
    }
  }
  const { called, trainer, model } = record(new Manual(), { limitValBatches: 0, limitTrainBatches: 1 });
  await silently(() => trainer.fit(model));
  await trainer.close();
  const start = called.indexOf("onTrainEpochStart");
  assert.deepEqual(called.slice(start + 1, called.indexOf("C.onTrainEpochEnd")), [
    ...transfer,
    "C.onTrainBatchStart 0",
    "onTrainBatchStart 0",
    "forward",
    "C.onBeforeBackward",
    "onBeforeBackward",
    "backward",
    "C.onAfterBackward",
    "onAfterBackward",
    "manualBackward",
    "C.onBeforeOptimizerStep",
    "onBeforeOptimizerStep",
    "trainingStep 0",
    "C.onTrainBatchEnd 0",
    "onTrainBatchEnd 0",
  ]);
  assert.equal(trainer.globalStep, 1);
});

for (const [task, stage] of [["validate", "Validation"], ["test", "Test"]] as const) {
  Deno.test(`${task} calls its hooks in Lightning's order`, async () => {
    const { called, trainer, model } = record(new Recorded());
    await silently(() => trainer[task](model));
    await trainer.close();
    assert.deepEqual(called, [
      "configureCallbacks",
      "prepareData",
      "C.setup",
      "setup",
      "configureModel",
      task === "validate" ? "valDataloader" : "testDataloader",
      `on${stage}ModelEval`,
      `C.on${stage}Start`,
      `on${stage}Start`,
      ...evaluation(stage),
      `C.on${stage}End`,
      `on${stage}End`,
      `on${stage}ModelTrain`,
      "C.teardown",
      "teardown",
    ]);
  });
}

Deno.test("predict calls its hooks in Lightning's order", async () => {
  const { called, trainer, model } = record(new Recorded());
  const predictions = await silently(() => trainer.predict(model));
  await trainer.close();
  assert.equal(predictions.length, 2);
  tf.dispose(predictions as tf.Tensor[]);
  assert.deepEqual(called.slice(called.indexOf("configureModel") + 1), [
    "predictDataloader",
    "onPredictModelEval",
    "C.onPredictStart",
    "onPredictStart",
    "C.onPredictEpochStart",
    "onPredictEpochStart",
    ...[0, 1].flatMap((i) => [
      ...transfer,
      `C.onPredictBatchStart ${i}`,
      `onPredictBatchStart ${i}`,
      "forward",
      `predictStep ${i}`,
      `C.onPredictBatchEnd ${i}`,
      `onPredictBatchEnd ${i}`,
    ]),
    "C.onPredictEpochEnd",
    "onPredictEpochEnd",
    "C.onPredictEnd",
    "onPredictEnd",
    "onPredictModelTrain",
    "C.teardown",
    "teardown",
  ]);
});

Deno.test("resuming loads model and callbacks before the optimizers are made, and a mid-epoch one starts no epoch", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/a.ckpt`;
  const first = quietTrainer({ maxSteps: 1, limitValBatches: 0 });
  await silently(() => first.fit(new Recorded()));
  await first.saveCheckpoint(path);
  await first.close();

  const { called, trainer, model } = record(new Recorded(), { maxEpochs: 1, limitValBatches: 0 });
  await silently(() => trainer.fit(model, { ckptPath: path }));
  await trainer.close();
  await Deno.remove(folder, { recursive: true });
  const from = called.indexOf("configureModel");
  assert.deepEqual(called.slice(from, from + 13), [
    "configureModel",
    "onLoadCheckpoint",
    "C.onLoadCheckpoint",
    "configureOptimizers",
    "C.onFitStart",
    "onFitStart",
    "trainDataloader",
    "C.onTrainStart",
    "onTrainStart",
    ...transfer,
    "C.onTrainBatchStart 1",
  ]);
  assert.equal(trainer.globalStep, 2);
});

Deno.test("a data module is prepared, set up and torn down around the run", async () => {
  const called: string[] = [];
  class Data extends LightningDataModule {
    override trainDataloader() {
      return planeLoader({ samples: 8 });
    }
    override valDataloader() {
      return planeLoader({ samples: 8 });
    }
  }
  const data = new Data();
  recordAll(data, LightningDataModule.prototype, (name) => called.push(name));
  const trainer = quietTrainer({ maxEpochs: 1 });
  await silently(() => trainer.fit(new Line(), { datamodule: data }));
  await trainer.close();
  assert.deepEqual(called.filter((name) => !transfer.includes(name)), [
    "prepareData",
    "setup",
    "valDataloader",
    "trainDataloader",
    "teardown",
  ]);
});

Deno.test("a callback of the model replaces one of the same class", async () => {
  const seen: string[] = [];
  class Marker extends Callback {
    constructor(readonly from: string) {
      super();
    }
    override onTrainStart() {
      seen.push(this.from);
    }
  }
  class Own extends Line {
    override configureCallbacks() {
      return new Marker("model");
    }
  }
  const lines: string[] = [];
  using _ = routeMessages((line) => lines.push(line));
  const trainer = quietTrainer({ maxEpochs: 1, callbacks: new Marker("trainer") });
  await trainer.fit(new Own(), planeLoader());
  await trainer.close();
  assert.deepEqual(seen, ["model"]);
  assert.match(lines[0], /override existing callbacks passed to Trainer: Marker/);
});
