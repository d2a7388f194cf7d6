import type { StepOutput } from "../callback.ts";
import type { Window } from "../optimization/automatic.ts";
import { agreeOnWeights } from "../optimization/agree_on_weights.ts";
import { finishWindow, trainWithoutBatch } from "../optimization/unfinished_window.ts";
import { stepSchedulers } from "../optimization/schedulers.ts";
import { NO_BATCH, type ReadyLoader } from "../loaders.ts";
import type { Phase } from "../progress.ts";
import type { Session } from "../session.ts";
import { activity } from "../../core/activity.ts";
import { info } from "../../core/messages.ts";
import { sampleCountOf } from "../../data/sample_count.ts";
import { breathe } from "./breathe.ts";
import { evaluate } from "./evaluation_loop.ts";
import { canStop } from "./fit_end.ts";
import { type Transfer, transferFor } from "./transfer.ts";
import type { ValidationPlan } from "./validation_plan.ts";

/** What a rank does between two batches. */
const LOADING = "loading a batch";

/** Trains one epoch, or what is left of it, with the validations in it. Returns true if it came to its end. */
export async function trainEpoch(session: Session, loader: ReadyLoader, plan: ValidationPlan): Promise<boolean> {
  const { hooks, metrics, progress, stop, saves } = session;
  if (progress.phase === "start") {
    loader.setEpoch(progress.epoch);
    await hooks.call("onTrainEpochStart");
    progress.phase = "train";
  }
  const transfer = transferFor(session, loader.source);
  session.isLastBatch = progress.batch >= loader.batches;
  if (progress.phase === "validate") await validate(session);
  await stepPlateaus(session);

  let ended = true, isExhausted = false;
  if (!reachedSteps(session)) {
    const outer = activity().enter(LOADING);
    for await (const given of loader.iterate({ first: progress.batch })) {
      activity().restore(outer);
      activity().setStep(progress.globalStep);
      const batchIdx = progress.batch;
      session.isLastBatch = batchIdx + 1 >= loader.batches;
      const trained = await trainBatch(session, given, { loader, transfer });
      if (trained === "skip the epoch") break;
      if (trained === "no rank has a batch") {
        // Batches of a window that nobody had any of were none.
        progress.batch -= progress.microBatch;
        progress.totalBatches -= progress.microBatch;
        progress.microBatch = 0;
        isExhausted = true;
        break;
      }
      const { batch, outputs, stepped, window } = trained;
      if (stepped) progress.globalStep++;
      if (stepped && session.module.automaticOptimization) progress.optimizerSteps++;
      progress.microBatch = window.isLast ? 0 : progress.microBatch + 1;
      activity().setStep(progress.globalStep);
      progress.batch++;
      progress.totalBatches++;
      if (stepped) await stepSchedulers(session, { interval: "step", plateau: false });
      progress.plateauDue = stepped;
      if (session.isLastBatch) await stepSchedulers(session, { interval: "epoch", plateau: false });

      limitTime(session);
      if (stepped) await stop.afterStep();
      const stopping = stop.isAgreed && canStop(session);
      if (plan.isDue(session, { loader, stopping })) progress.phase = "validate";
      await hooks.call("onTrainBatchEnd", outputs, batch, batchIdx);
      await metrics.afterTrainBatch(progress.globalStep, stepped);
      await breathe();
      saves.throwIfFailed();
      stop.throwIfInterrupted();
      if (phaseOf(session) === "validate") await validate(session);
      await stepPlateaus(session);

      // A callback may have asked for the end during validation.
      const over = stop.isAgreed && canStop(session);
      if (!session.isLastBatch && (over || reachedSteps(session))) {
        ended = false;
        break;
      }
      activity().enter(LOADING);
    }
    activity().restore(outer);
  } else ended = progress.batch >= loader.batches;

  // A loader that does not say its length has ended within a window, or before its validation.
  if (ended && (isExhausted || !Number.isFinite(loader.batches))) {
    session.isLastBatch = true;
    if (progress.microBatch > 0) await finishWindow(session);
    await stepSchedulers(session, { interval: "epoch", plateau: false });
    if (plan.isDueAtUnknownEnd(session)) await validate(session);
  }
  metrics.endBatches();
  // Hooks of the epoch's end find the last step's values, also where the epoch was over before the first logging interval.
  await metrics.readSteps();
  return ended;
}

/** A batch that was trained on, or the place of one that this rank does not have. */
interface Trained {
  /** Undefined on a rank that has none left while others do. */
  readonly batch: unknown;
  readonly outputs: StepOutput;
  /** The parameters were updated. */
  readonly stepped: boolean;
  readonly window: Window;
}

/** Trains on what the loader gave. */
async function trainBatch(
  session: Session,
  given: unknown,
  { loader, transfer }: { loader: ReadyLoader; transfer: Transfer },
): Promise<Trained | "skip the epoch" | "no rank has a batch"> {
  const { hooks, metrics, fabric, progress } = session, batchIdx = progress.batch;
  if (given === NO_BATCH) {
    const window = windowOf(session, loader);
    if (window.isFirst) session.batchesInWindow = 0;
    await metrics.beginWithoutBatch({ isNewStep: window.isFirst });
    const stepped = await trainWithoutBatch(session, window);
    if (stepped === undefined) return "no rank has a batch";
    return { batch: undefined, outputs: undefined, stepped, window };
  }
  const batch = await transfer(given, 0);
  metrics.beginBatch(batch);
  if (await hooks.call("onTrainBatchStart", batch, batchIdx) === -1) return "skip the epoch";
  const window = windowOf(session, loader);
  if (window.isFirst) session.batchesInWindow = 0;
  session.batchesInWindow++;
  if (fabric.worldSize > 1) fabric.countSamples(sampleCountOf(batch));
  const { outputs, stepped } = await session.optimize(batch, batchIdx, window);
  return { batch, outputs, stepped, window };
}

/** Tells the schedulers that watch a metric of the last step, once. */
async function stepPlateaus(session: Session): Promise<void> {
  if (!session.progress.plateauDue) return;
  session.progress.plateauDue = false;
  await stepSchedulers(session, { interval: "step", plateau: true });
}

/** The phase, which hooks may have changed. */
function phaseOf({ progress }: Session): Phase {
  return progress.phase;
}

/** Asks to stop when the time is up. */
function limitTime({ config, progress, stop }: Session): void {
  if (stop.shouldStop || progress.seconds < config.maxSeconds) return;
  info(`Time limit reached. Elapsed time is ${formatSeconds(progress.seconds)}. Signaling Trainer to stop.`);
  stop.shouldStop = true;
}

function formatSeconds(seconds: number): string {
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(seconds / 60 % 60)}:${two(seconds % 60)}`;
}

/** Runs the validation that is due. */
async function validate(session: Session): Promise<void> {
  const { hooks, metrics, module, progress } = session;
  // Hooks of a validation find the values of the step before it.
  await metrics.readSteps();
  session.stage = "validate";
  progress.phase = "validate";
  if (progress.microBatch === 0) {
    await hooks.module("onValidationModelZeroGrad", () => module.onValidationModelZeroGrad());
  }
  await agreeOnWeights(session);
  try {
    await evaluate(session, { kind: "validate" });
  } finally {
    session.stage = "train";
  }
  progress.phase = "train";
  await session.stop.agree();
}

function reachedSteps({ config, progress }: Session): boolean {
  return progress.globalStep >= config.maxSteps;
}

/** The accumulation window that the next batch belongs to. The last one of an epoch has as many batches as are left. */
function windowOf({ progress, accumulateGradBatches }: Session, loader: ReadyLoader): Window {
  const start = progress.batch - progress.microBatch;
  const size = Math.min(accumulateGradBatches, loader.batches - start);
  return { isFirst: progress.microBatch === 0, isLast: progress.microBatch + 1 >= size, size };
}
