import { overrides } from "../hooks.ts";
import { LightningModule as Base } from "../lightning_module.ts";
import type { ReadyLoader } from "../loaders.ts";
import type { Metrics } from "../logging/metric_connector.ts";
import type { Session } from "../session.ts";
import { breathe } from "./breathe.ts";
import { rememberModes } from "./modes.ts";
import { transferFor } from "./transfer.ts";
import { withScope } from "../../tensor/scope.ts";

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions {
  kind: "validate" | "test";
  /** At most this many batches of each loader. Default: all. */
  maxBatches?: number;
  /** Give what is logged to the loggers. Default: true. */
  write?: boolean;
}

/** The names of the hooks of validation and test. */
const HOOKS = {
  validate: { stage: "Validation", step: "validationStep" },
  test: { stage: "Test", step: "testStep" },
} as const;

/** Runs validation or test over its loaders. Returns the metrics of each; nothing if there are no batches. */
export async function evaluate(session: Session, options: EvaluateOptions): Promise<Metrics[]> {
  const { hooks, metrics, module } = session;
  const { stage, step } = HOOKS[options.kind];
  const loaders = await session.loaders.get(options.kind);
  const { maxBatches = Infinity, write = true } = options;
  const sizes = loaders.map(({ batches }) => Math.min(batches, maxBatches));
  if (loaders.length === 0 || (session.fabric.worldSize === 1 && sizes.every((size) => size === 0))) return [];

  const restoreModes = rememberModes(module);
  await hooks.module(`on${stage}ModelEval`, () => module[`on${stage}ModelEval`]());
  metrics.beginEvaluation();
  try {
    return await withScope(async () => {
      await hooks.call(`on${stage}Start`);
      await hooks.call(`on${stage}EpochStart`);
      for (const [index, loader] of loaders.entries()) {
        await runLoader(session, loader, { index, several: loaders.length > 1, stage, step, maxBatches, write });
      }
      metrics.endBatches();
      await hooks.call(`on${stage}EpochEnd`);
      const results = await metrics.endEpoch({ loaders: loaders.length, write });
      if (options.kind === "validate" && session.task === "fit" && session.stage !== "sanityCheck") {
        session.progress.phase = "train";
      }
      await hooks.call(`on${stage}End`);
      return results;
    });
  } finally {
    metrics.endEvaluation();
    if (overrides(module, Base.prototype, `on${stage}ModelTrain`)) {
      await hooks.module(`on${stage}ModelTrain`, () => module[`on${stage}ModelTrain`]());
    } else restoreModes();
  }
}

async function runLoader(
  session: Session,
  loader: ReadyLoader,
  how: {
    index: number;
    several: boolean;
    stage: "Validation" | "Test";
    step: "validationStep" | "testStep";
    maxBatches: number;
    write: boolean;
  },
): Promise<void> {
  const { hooks, metrics } = session;
  const { index, stage } = how;
  const run = session.evaluationStep(how.step);
  const transfer = transferFor(session, loader.source);
  loader.setEpoch(0);
  let batchIdx = 0;
  for await (const given of loader.iterate({ end: how.maxBatches })) {
    const batch = await transfer(given, index);
    metrics.beginBatch(batch, how.several ? index : undefined);
    await hooks.call(`on${stage}BatchStart`, batch, batchIdx, index);
    const outputs = await run(batch, batchIdx, index);
    await hooks.call(`on${stage}BatchEnd`, outputs, batch, batchIdx, index);
    if (how.write) await metrics.afterEvaluationBatch({ isUneven: loader.isUneven });
    await breathe();
    session.stop.throwIfInterruptedAlone();
    batchIdx++;
  }
}
