import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import type { ProcessGroupName } from "../runtime/core/process_group_name.ts";
import type { Optimizer } from "../runtime/optim/optimizer.ts";
import type { StateDict } from "../runtime/tensor/state.ts";
import type { Module } from "../runtime/nn/module.ts";
import type { RankFlags } from "./rank_flags.ts";
import type { tf } from "../runtime/tensor/tf.ts";

/** Names a user may give instead of a strategy object. */
export type StrategyName = "auto" | "single_device" | "ddp" | "dp" | "local_sgd";

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
  /**
   * What an optimizer exchanges with those of other ranks. Absent: nothing, because every rank takes the same step. Waits for every rank.
   * @throws Error if it cannot be exchanged
   */
  prepareOptimizer?(optimizer: Optimizer, named: ReadonlyMap<string, tf.Variable>): Promise<OptimizerSynchronizer>;
  /** Ranks step with gradients of their own. Default: false, with the mean of all. */
  readonly stepsAlone?: boolean;
}

/** What an optimizer exchanges with those of other ranks. */
export interface OptimizerSynchronizer {
  /** Called after each step of every rank: exchanges what is due. */
  afterStep(): Promise<void>;
  /** Makes weights and state the same on all ranks, if they may differ. All ranks call it and wait. Absent: they are. */
  agree?(): Promise<void>;
  /** True while weights may differ between ranks. Absent: never. */
  readonly differs?: boolean;
  /**
   * The state of all ranks on rank 0, equal to that of an optimizer that has it all; on the others their own part. Waits for every rank. Absent: every
   * rank has all of it.
   */
  gatherState?(): Promise<StateDict>;
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
