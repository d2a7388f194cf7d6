import { CHECKPOINT_VERSION, type CheckpointState } from "./checkpoint_state.ts";
import type { Callback } from "./callback.ts";
import { overrides } from "./hooks.ts";
import { agreeOnWeights } from "./optimization/agree_on_weights.ts";
import { LightningDataModule } from "./lightning_data_module.ts";
import type { Session } from "./session.ts";
import { warn } from "../core/messages.ts";
import { gradientOf, setGradient } from "../tensor/gradients.ts";
import type { HostTensor } from "../tensor/host_tensor.ts";
import { fromHost, snapshot } from "../tensor/read.ts";
import type { RandomState } from "../seed/random.ts";
import { randomState, restoreRandomState } from "../seed/random_state.ts";
import type { StateDict } from "../tensor/state.ts";

/** Options of {@linkcode collectCheckpoint}. */
export interface CollectOptions {
  /** Leave out what only resuming needs. */
  weightsOnly: boolean;
  /** Do not ask the other ranks for theirs: they may be gone. */
  thisRankOnly: boolean;
}

/** Everything that a training needs to go on exactly. Collective unless `thisRankOnly`. Tensors are live ones. */
export async function collectCheckpoint(session: Session, options: CollectOptions): Promise<CheckpointState> {
  const { module, datamodule, progress, hooks } = session;
  if (!options.thisRankOnly) await agreeOnWeights(session);
  const checkpoint: CheckpointState = {
    version: CHECKPOINT_VERSION,
    epoch: progress.epoch,
    globalStep: progress.globalStep,
    stateDict: module.stateDict(),
  };
  if (module.hasHyperparameters) checkpoint.hyperParameters = plain(module.hparams);
  if (datamodule?.hasHyperparameters) checkpoint.datamoduleHyperParameters = plain(datamodule.hparams);
  if (datamodule) checkpoint.datamodule = datamodule.stateDict();
  if (!options.weightsOnly && !lacksState(session, options)) {
    checkpoint.callbacks = {};
    for (const callback of session.trainer.callbacks) {
      const state = callback.stateDict();
      if (state !== undefined) checkpoint.callbacks[callback.stateKey] = state;
    }
    checkpoint.optimizerStates = [];
    for (const { original } of session.optimizers) checkpoint.optimizerStates.push(await original.gatherStateDict());
    checkpoint.lrSchedulers = session.schedulers.map(({ scheduler }) => scheduler.stateDict());
    checkpoint.loops = { fit: progress.stateDict() };
    const own = await rankState(session);
    checkpoint.ranks = options.thisRankOnly || session.fabric.worldSize === 1
      ? [own]
      : await session.fabric.allGatherObjects(own, { purpose: "the Trainer's checkpoint" });
  }
  await hooks.call("onSaveCheckpoint", checkpoint);
  return checkpoint;
}

/** Whether optimizers keep state on ranks that may be gone. Then it says that only the weights are saved. */
function lacksState({ fabric, optimizers }: Session, { thisRankOnly }: CollectOptions): boolean {
  const isSpread = thisRankOnly && fabric.worldSize > 1 && optimizers.some(({ original }) => original.isSharded);
  if (isSpread) {
    warn(
      "sharded-state-of-one-rank",
      "this checkpoint holds the weights only: with `shardOptimizerState` the other ranks have parts of the optimizer's state, and after an error nobody " +
        "asks them. A fit resumes from a checkpoint that all ranks saved.",
    );
  }
  return isSpread;
}

/** What differs from rank to rank, read from the device. */
async function rankState(session: Session): Promise<StateDict> {
  const { module, progress, metrics, loaders } = session;
  const [loader] = loaders.known("train");
  const gradients: StateDict = {};
  if (progress.microBatch > 0) {
    for (const [name, variable] of module.namedParameters()) gradients[name] = gradientOf(variable);
  }
  return {
    random: randomState() as unknown as StateDict | null,
    loader: loader?.stateDict() ?? null,
    isExhausted: loader?.isExhausted ?? false,
    window: { batches: session.batchesInWindow, samples: session.fabric.pendingSamples ?? null },
    metrics: await metrics.stateDict(module),
    gradients: await snapshot(gradients) as StateDict,
  };
}

/** Before the optimizers are made: the hooks, the weights, the callbacks' state. */
export async function restoreModel(
  session: Session,
  checkpoint: CheckpointState,
  how: { weightsOnly: boolean },
): Promise<void> {
  const { module, datamodule, hooks, trainer } = session;
  await hooks.module("onLoadCheckpoint", () => module.onLoadCheckpoint(checkpoint));
  module.loadStateDict(checkpoint.stateDict, { strict: module.strictLoading });
  if (how.weightsOnly) return;
  if (datamodule && checkpoint.datamodule && overrides(datamodule, LightningDataModule.prototype, "loadStateDict")) {
    datamodule.loadStateDict(checkpoint.datamodule);
  }
  await hooks.callbacks("onLoadCheckpoint", checkpoint);
  restoreCallbacks(trainer.callbacks, checkpoint.callbacks ?? {});
}

function restoreCallbacks(callbacks: readonly Callback[], states: StateDict): void {
  const missing = Object.keys(states).filter((key) => !callbacks.some(({ stateKey }) => stateKey === key));
  if (missing.length > 0) {
    warn(
      "checkpoint-callbacks",
      "Be aware that when using `ckptPath`, callbacks used to create the checkpoint need to be provided to the `Trainer`. " +
        `Please add the following callbacks: ${missing.join(", ")}.`,
    );
  }
  for (const callback of callbacks) {
    const state = states[callback.stateKey];
    if (state !== undefined) callback.loadStateDict(state as StateDict);
  }
}

/** After the optimizers are made: them, the schedulers and the place in the training. @throws Error if the checkpoint has weights only */
export function restoreTraining(session: Session, checkpoint: CheckpointState): void {
  const { optimizerStates, lrSchedulers, loops } = checkpoint;
  if (!optimizerStates || !loops) {
    throw new Error(
      "Trying to restore optimizer state but checkpoint contains only the model. This is probably due to `saveWeightsOnly` being set. " +
        "Load the weights with `Model.loadFromCheckpoint(path)` and call `fit` without `ckptPath`.",
    );
  }
  sameNumber("optimizers", optimizerStates.length, session.optimizers.length);
  sameNumber("learning-rate schedulers", lrSchedulers?.length ?? 0, session.schedulers.length);
  for (const [index, state] of optimizerStates.entries()) session.optimizers[index].loadStateDict(state);
  for (const [index, state] of (lrSchedulers ?? []).entries()) session.schedulers[index].scheduler.loadStateDict(state);
  session.progress.loadStateDict(loops.fit as StateDict);
}

/** Last, before the first batch: what is of this rank alone. */
export async function restoreRank(session: Session, checkpoint: CheckpointState): Promise<void> {
  const { fabric, module, progress, metrics, loaders } = session;
  const states = checkpoint.ranks ?? [];
  const sameRanks = states.length === fabric.worldSize;
  const [loader] = await loaders.get("train");
  const midEpoch = progress.isMidEpoch;
  if (!sameRanks) {
    if (midEpoch) {
      throw new Error(
        `The checkpoint was saved in the middle of an epoch by ${states.length} ranks, but this run has ${fabric.worldSize}: how far each ` +
          `got in its data does not carry over. Resume with ${states.length} ranks, or from a checkpoint of the end of an epoch.`,
      );
    }
    return;
  }
  const own = states[fabric.globalRank];
  metrics.loadStateDict(own.metrics as StateDict, module);
  const variables = module.namedParameters();
  for (const [name, gradient] of Object.entries(own.gradients as StateDict)) {
    const variable = variables.get(name);
    if (variable && gradient) setGradient(variable, fromHost(gradient as HostTensor));
  }
  if (loader && midEpoch && !loader.isStateful) {
    warn(
      "loader-not-resumable",
      "You're resuming from a checkpoint of the middle of an epoch and your training data has no `stateDict` and `loadStateDict`: its first " +
        `${progress.batch} batches are passed over, which is only right if they come in the same order.`,
    );
  }
  const isAtEnd = progress.phase === "end";
  loader?.resume(own.loader as StateDict | null, isAtEnd ? 0 : progress.batch, {
    isExhausted: !isAtEnd && own.isExhausted === true,
  });
  const window = own.window as { batches: number; samples: number | null } | undefined;
  if (progress.microBatch > 0) {
    session.batchesInWindow = window?.batches ?? progress.microBatch;
    fabric.countSamples(window?.samples ?? undefined);
  }
  restoreRandomState(own.random as unknown as RandomState | null);
}

function sameNumber(what: string, saved: number, now: number): void {
  if (saved === now) return;
  throw new Error(
    `The checkpoint has ${saved} ${what}, but \`configureOptimizers\` returned ${now}: return as many as when it was saved`,
  );
}

/** Hyperparameters as state: records and arrays of plain values. */
function plain(hparams: object): StateDict {
  return JSON.parse(JSON.stringify(hparams)) as StateDict;
}
