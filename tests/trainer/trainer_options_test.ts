import assert from "node:assert/strict";
import { Line, planeLoader, quietTrainer } from "./support/line.ts";
import { Trainer } from "../../runtime/trainer/trainer.ts";
import { resolveTrainerOptions } from "../../runtime/trainer/resolve_trainer_options.ts";
import type { TrainerOptions } from "../../runtime/trainer/trainer_options.ts";
import type { LightningModule } from "../../runtime/trainer/lightning_module.ts";

Deno.test("options are resolved into a frozen configuration with Lightning's defaults", () => {
  const config = resolveTrainerOptions({});
  assert.ok(Object.isFrozen(config));
  const { maxEpochs, maxSteps, logEveryNSteps, numSanityValSteps, accumulateGradBatches, maxSeconds } = config;
  assert.deepEqual(
    { maxEpochs, maxSteps, logEveryNSteps, numSanityValSteps, accumulateGradBatches, maxSeconds },
    {
      maxEpochs: 1000,
      maxSteps: Infinity,
      logEveryNSteps: 50,
      numSanityValSteps: 2,
      accumulateGradBatches: 1,
      maxSeconds: Infinity,
    },
  );
  assert.equal(resolveTrainerOptions({ maxSteps: 5 }).maxEpochs, Infinity);
  assert.equal(resolveTrainerOptions({ maxTime: "01:02:03:04" }).maxSeconds, 93784);
  assert.equal(resolveTrainerOptions({ maxTime: "90:00" }).maxSeconds, 5400);
  assert.equal(resolveTrainerOptions({ maxTime: { minutes: 2 } }).maxSeconds, 120);
});

Deno.test("an option that is unknown or impossible is an error that names it", () => {
  const wrong: [TrainerOptions, RegExp][] = [
    [{ max_epochs: 3 } as object, /`Trainer` has no option `max_epochs`; did you mean `maxEpochs`\?/],
    [{ nonsense: 3 } as object, /has no option `nonsense`\. It takes: accelerator/],
    [{ maxEpochs: 1.5 }, /maxEpochs.*-1 for no limit, but got 1\.5/],
    [{ maxSteps: -2 }, /maxSteps.*but got -2/],
    [{ limitTrainBatches: 1.5 }, /limitTrainBatches.*a fraction below 1.*but got 1\.5/],
    [{ limitValBatches: "120%" }, /limitValBatches.*but got "120%"/],
    [{ valCheckInterval: 0 }, /valCheckInterval.*above 0/],
    [{ valCheckInterval: "soon" as "1%" }, /valCheckInterval.*"DD:HH:MM:SS"/],
    [{ checkValEveryNEpoch: 0 }, /checkValEveryNEpoch.*from 1 up, but got 0/],
    [{ checkValEveryNEpoch: null }, /needs a whole number as `valCheckInterval`/],
    [{ accumulateGradBatches: 0 }, /accumulateGradBatches.*from 1 up, but got 0/],
    [{ gradientClipVal: -1 }, /gradientClipVal.*but got -1/],
    [{ gradientClipAlgorithm: "l2" as "norm" }, /must be "norm" or "value", but got "l2"/],
    [{ maxTime: "5 minutes" }, /maxTime.*but got "5 minutes"/],
    [{ profiler: "fast" as "simple" }, /profiler.*"simple" or a profiler, but got "fast"/],
    [{ syncBatchnorm: true }, /syncBatchnorm/],
    [{ barebones: true, enableProgressBar: true }, /barebones: true, enableProgressBar: true.*contradicts itself/],
    [{ logger: {} as never }, /logger.*takes a logger/],
    [{ fastDevRun: -1 }, /fastDevRun.*from 0 up/],
  ];
  for (const [options, message] of wrong) assert.throws(() => new Trainer(options), message, JSON.stringify(options));
});

Deno.test("what cannot be run is refused with what to write instead", async () => {
  const trainer = () => quietTrainer({ maxEpochs: 1 });
  class NoStep extends Line {}
  Object.defineProperty(NoStep.prototype, "trainingStep", {
    value: (Object.getPrototypeOf(Line.prototype) as LightningModule).trainingStep,
  });
  await assert.rejects(trainer().fit(new NoStep(), planeLoader()), /No `trainingStep\(\)` method defined in `NoStep`/);
  await assert.rejects(trainer().fit({} as LightningModule, planeLoader()), /takes a LightningModule, but got Object/);
  await assert.rejects(trainer().fit(new Line()), /there is no `trainDataloader`/);
  await assert.rejects(
    trainer().fit(new Line(), { trainDataloader: planeLoader() } as object),
    /`fit` has no option `trainDataloader`; did you mean `trainDataloaders`\?/,
  );
  await assert.rejects(trainer().validate(), /without a model uses that of the last fit, but there was none/);
  await assert.rejects(trainer().saveCheckpoint("x.ckpt"), /has no model to save/);
  const busy = trainer();
  const first = busy.fit(new Line(), planeLoader());
  await assert.rejects(busy.test(new Line()), /was called while `trainer\.fit` runs: `await` that first/);
  await first;
  await busy.close();
});
