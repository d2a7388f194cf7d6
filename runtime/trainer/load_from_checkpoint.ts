import type { CheckpointState } from "./checkpoint_state.ts";
import { checkCheckpointVersion } from "./checkpoint_version.ts";
import type { LightningModule } from "./lightning_module.ts";
import { readCheckpoint } from "../checkpoint/read_checkpoint.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";

/** Options of `loadFromCheckpoint`. */
export interface LoadFromCheckpointOptions {
  /** Replaces or adds single hyperparameters. Default: none. */
  hparams?: Record<string, unknown>;
  /** False: weights may be missing in the checkpoint or left over. Default: the module's `strictLoading`. */
  strict?: boolean;
}

/** See `LightningModule.loadFromCheckpoint`. */
export async function loadFromCheckpoint<M extends LightningModule>(
  // deno-lint-ignore no-explicit-any
  Class: new (hparams?: any) => M,
  path: string,
  options: LoadFromCheckpointOptions,
): Promise<M> {
  rejectUnknownOptions("loadFromCheckpoint", options, ["hparams", "strict"]);
  const checkpoint = await readCheckpoint(path) as CheckpointState;
  checkCheckpointVersion(checkpoint, path);
  const saved = checkpoint.hyperParameters;
  const hparams = saved || options.hparams ? { ...saved, ...options.hparams } : undefined;
  const model = new Class(hparams);
  await model.configureModel();
  await model.onLoadCheckpoint(checkpoint);
  model.loadStateDict(checkpoint.stateDict, { strict: options.strict ?? model.strictLoading });
  return model;
}
