import type { StateDict, StateTree } from "../tensor/state.ts";

/** The version of what a Trainer's checkpoint holds. A newer one cannot be read. */
export const CHECKPOINT_VERSION = 1;

/** What a Trainer's checkpoint holds, as `onSaveCheckpoint` and `onLoadCheckpoint` see it. They may add keys of their own. */
export interface CheckpointState {
  /** {@linkcode CHECKPOINT_VERSION} when it was written. */
  version: number;
  epoch: number;
  /** Training steps taken. */
  globalStep: number;
  /** The model's parameters and buffers, by name. */
  stateDict: StateDict;
  hyperParameters?: StateDict;
  datamoduleHyperParameters?: StateDict;
  /** State of the data module, if it has any. */
  datamodule?: StateDict;
  /** By the callbacks' `stateKey`. Absent, as everything below, in a checkpoint of the weights only. */
  callbacks?: StateDict;
  optimizerStates?: StateDict[];
  lrSchedulers?: StateDict[];
  /** Where the training stood. */
  loops?: StateDict;
  /** What differs between the ranks, by rank: random state, position in the data, metrics and gradients in progress. */
  ranks?: StateDict[];
  [key: string]: StateTree | undefined | StateDict[];
}
