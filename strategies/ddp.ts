import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import { PROCESS_GROUP_NAMES, type ProcessGroupName } from "../runtime/core/process_group_name.ts";
import { rejectUnknownOptions } from "../runtime/core/suggest.ts";
import type { HalfFormat } from "../runtime/precision/half_floats.ts";
import type { Module } from "../runtime/nn/module.ts";
import type { tf } from "../runtime/tensor/tf.ts";
import { broadcastWeights } from "./broadcast_weights.ts";
import { planBuckets } from "./bucket_plan.ts";
import { GradientReducer, type Ranks } from "./gradient_reducer.ts";
import { HostWaits } from "./host_waits.ts";
import { MeanExchange } from "./mean_exchange.ts";
import { OptimizerShard } from "./optimizer_shard.ts";
import { checkSameModel } from "./same_model.ts";
import type { RankFlags } from "./rank_flags.ts";
import {
  type ModuleSynchronizer,
  noSynchronization,
  type ProcessGroupChoice,
  type Strategy,
  type Synchronizer,
} from "./strategy.ts";

/** Options of {@linkcode DDPStrategy}. */
export interface DDPStrategyOptions {
  /** Gradients travel in buckets of at most this many MiB. Default: 25. */
  bucketCapMiB?: number;
  /** The first bucket is smaller, so that traffic starts early. Default: 1. */
  firstBucketCapMiB?: number;
  /** Each rank takes its share of a loader's batch (`"dp"`) instead of a whole batch of its own (`"ddp"`). Default: false. */
  splitBatch?: boolean;
  /**
   * Gradients travel as 16-bit numbers, half the bytes, and are summed as float32: `"fp16"` keeps 11 bits of each and scales every
   * bucket so that none overflows, `"bf16"` keeps 8 bits. Default: none, float32.
   */
  gradientCompression?: HalfFormat;
  /**
   * What reduces the gradients: `"zeromq"`, or `"tensorflow"`, TensorFlow's distributed runtime (a ring over gRPC; NCCL on GPUs), which needs the accelerator
   * `cpu` or `cuda` and TensorFlow's library. docs/strategies.md tells which to choose. Default: what the launcher was told by `--process-group`, else
   * `"zeromq"`.
   */
  processGroup?: ProcessGroupName;
  /** Lets TensorFlow's servers, which encrypt nothing and ask nobody who he is, listen to other hosts. Default: false: runs on several hosts are refused. */
  allowUnencrypted?: boolean;
  /**
   * Each rank keeps the optimizer's state of the parameters that it owns, about one part of as many as there are ranks (ZeRO, stage 1); the weights stay
   * the same to the bit. `optimizer.step()` then returns a promise that must be awaited, since updated parameters travel from their owners; the Trainer does
   * so by itself. Needs one of this library's optimizers. Checkpoints are those of a run without it. docs/strategies.md tells the costs. Default: false.
   */
  shardOptimizerState?: boolean;
}

/**
 * Distributed data parallel: every rank holds the whole model and trains on its own part of the data; gradients are averaged
 * in `fabric.backward`, so that every rank takes the same step.
 *
 * Source: S. Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", VLDB 2020.
 *
 * @example
 * ```ts
 * const strategy = new DDPStrategy({ bucketCapMiB: 10 });
 * console.log(strategy.name); // ddp
 * ```
 */
export class DDPStrategy implements Strategy {
  readonly name: string;
  readonly splitsBatch: boolean;
  readonly processGroup: ProcessGroupChoice;
  readonly #capBytes: number;
  readonly #firstCapBytes: number;
  readonly #compression: HalfFormat | undefined;
  readonly #shardsOptimizerState: boolean;

  /** @throws RangeError if a bucket size is not a positive number; TypeError for an unknown option, compression, process group or `shardOptimizerState` */
  constructor(options: DDPStrategyOptions = {}) {
    rejectUnknownOptions("DDPStrategy", options, [
      ...["bucketCapMiB", "firstBucketCapMiB", "splitBatch", "gradientCompression", "processGroup"],
      ...["allowUnencrypted", "shardOptimizerState"],
    ]);
    this.#compression = compression(options.gradientCompression);
    this.processGroup = {
      name: processGroup(options.processGroup),
      allowsUnencrypted: options.allowUnencrypted ?? false,
    };
    const { shardOptimizerState = false } = options;
    if (typeof shardOptimizerState !== "boolean") {
      throw new TypeError(
        `\`shardOptimizerState\` must be true or false, but got ${JSON.stringify(shardOptimizerState)}`,
      );
    }
    this.#shardsOptimizerState = shardOptimizerState;
    this.splitsBatch = options.splitBatch ?? false;
    this.name = this.splitsBatch ? "dp" : "ddp";
    this.#capBytes = bytes("bucketCapMiB", options.bucketCapMiB ?? 25);
    this.#firstCapBytes = bytes(
      "firstBucketCapMiB",
      options.firstBucketCapMiB ?? Math.min(1, options.bucketCapMiB ?? 1),
    );
  }

  connect(group: ProcessGroup, flags: RankFlags): Synchronizer {
    const exchange = new MeanExchange(group, this.#compression), between = group.betweenHosts;
    const hosts = between && new HostWaits({ between, flags, isZero: group.rank === 0 });
    return {
      prepareModule: (module) => this.#prepare({ group, exchange, flags, hosts }, module),
      prepareOptimizer: this.#shardsOptimizerState
        ? (optimizer, named) => OptimizerShard.of(group, optimizer, named)
        : undefined,
    };
  }

  #plan(ranks: Ranks, variables: readonly tf.Variable[]): GradientReducer {
    const sizes = { capBytes: this.#capBytes, firstCapBytes: this.#firstCapBytes };
    return new GradientReducer(ranks, variables, planBuckets(variables.map((v) => v.size), sizes));
  }

  async #prepare(ranks: Ranks, module: Module): Promise<ModuleSynchronizer> {
    const parameters = module.namedParameters(), buffers = module.namedBuffers();
    await checkSameModel(ranks.group, new Map([...parameters, ...buffers]));
    await broadcastWeights(ranks.group, [...parameters.values(), ...buffers.values()]);
    let reducer = this.#plan(ranks, [...parameters.values()]);
    return {
      beginBackward: ({ sync }) => {
        if (!sync) return noSynchronization;
        const trainable = module.parameters();
        // Freezing or unfreezing a part changes what travels; every rank does it at the same step.
        if (!reducer.covers(trainable)) {
          reducer[Symbol.dispose]();
          reducer = this.#plan(ranks, trainable);
        }
        return reducer.begin();
      },
    };
  }
}

function bytes(option: string, mebibytes: number): number {
  if (!(mebibytes > 0)) throw new RangeError(`\`${option}\` must be a positive number of MiB, but got ${mebibytes}`);
  return mebibytes * 2 ** 20;
}

function compression(given: HalfFormat | undefined): HalfFormat | undefined {
  if (given === undefined || given === "fp16" || given === "bf16") return given;
  throw new TypeError(
    `\`gradientCompression\` must be "fp16" or "bf16", or left out for none, but got ${JSON.stringify(given)}`,
  );
}

function processGroup(given: ProcessGroupName | undefined): ProcessGroupName | undefined {
  if (given === undefined || PROCESS_GROUP_NAMES.includes(given)) return given;
  throw new TypeError(`\`processGroup\` must be "zeromq" or "tensorflow", but got ${JSON.stringify(given)}`);
}
