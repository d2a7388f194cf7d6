import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import type { ProcessGroupName } from "../runtime/core/process_group_name.ts";
import type { Module } from "../runtime/nn/module.ts";
import type { RankFlags } from "./rank_flags.ts";
import type { tf } from "../runtime/tensor/tf.ts";

/** Names a user may give instead of a strategy object. */
export type StrategyName = "auto" | "single_device" | "ddp" | "dp";

/** A process group and what it is allowed. */
export interface ProcessGroupChoice {
  /** Default: what the launcher was told, else ZeroMQ. */
  readonly name: ProcessGroupName | undefined;
  /** Whether arrays may travel between hosts unencrypted. */
  readonly allowsUnencrypted: boolean;
}

/** What is synchronised between ranks, and when. A description: it becomes live when {@linkcode Strategy.connect} gives it its ranks. */
export interface Strategy {
  readonly name: string;
  /** True if a loader's batch size is the batch of all ranks together, each taking its share; false if it is each rank's own. */
  readonly splitsBatch: boolean;
  /** What carries the gradients. Default: what the launcher was told, else ZeroMQ. */
  readonly processGroup?: ProcessGroupChoice;
  /** Binds the strategy to the ranks that train together. */
  connect(group: ProcessGroup, flags: RankFlags): Synchronizer;
}

/** A strategy with its ranks. */
export interface Synchronizer {
  /** Checks that all ranks hold the same model, gives them rank 0's weights and plans the reduction. Waits for every rank. */
  prepareModule(module: Module): Promise<ModuleSynchronizer>;
}

/** What synchronises one model. */
export interface ModuleSynchronizer {
  /** Begins a backward pass whose gradients end as the mean over the ranks. Local when `sync` is false. */
  beginBackward(options: { sync: boolean }): BackwardPass;
}

/** One backward pass of one model. */
export interface BackwardPass {
  /** The gradient of `variable` is final on this rank: it may leave. */
  gradientReady(variable: tf.Variable): void;
  /** Resolves when the reduced gradients are in place. */
  finish(): Promise<void>;
}

/** A backward pass whose gradients stay on this rank. */
export const noSynchronization: BackwardPass = { gradientReady() {}, finish: () => Promise.resolve() };
