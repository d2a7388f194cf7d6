import { rejectUnknownOptions } from "../runtime/core/suggest.ts";
import type { Module } from "../runtime/nn/module.ts";
import type { GradientOptimizer } from "../runtime/optim/gradient_optimizer.ts";
import { gradientOf } from "../runtime/tensor/gradients.ts";
import { decisive, onEveryStep, stepRecorder } from "../runtime/tensor/step_recording.ts";
import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import { DDPStrategy } from "./ddp.ts";
import { LocalOptimizer } from "./local_optimizer.ts";
import { ownOptimizer } from "./own_optimizer.ts";
import type { RankFlags } from "./rank_flags.ts";
import {
  type BackwardPass,
  type ModuleSynchronizer,
  noSynchronization,
  type Strategy,
  type Synchronizer,
} from "./strategy.ts";

/** Options of {@linkcode LocalSGDStrategy}. */
export interface LocalSGDStrategyOptions {
  /** The ranks average their weights after this many steps of each. Default: 8. */
  localSteps?: number;
  /** The first steps are those of DDP, with averaged gradients (post-local SGD). Default: 0. */
  warmupSteps?: number;
  /** Each rank takes its share of a loader's batch (`"dp"`) instead of a whole batch of its own. Default: false. */
  splitBatch?: boolean;
}

/**
 * Local SGD: each rank steps with its own gradients, and every few steps the ranks replace their weights, buffers and optimizer states by the mean. The way
 * between hosts is used that much less often; in exchange the ranks drift apart in between, which a model may learn less from than from as many steps of DDP.
 *
 * The ranks also average before a validation, before a checkpoint is saved and at the end of an epoch (in a loop of your own: `optimizer.synchronize()`), so
 * that what is evaluated and saved is one model. `optimizer.step()` returns a promise that must be awaited.
 *
 * Source: S. U. Stich, "Local SGD Converges Fast and Communicates Little", ICLR 2019; T. Lin et al., "Don't Use Large Mini-Batches, Use Local SGD", ICLR 2020
 * (post-local SGD); H. Yu et al., "On the Linear Speedup Analysis of Communication Efficient Momentum SGD", ICML 2019 (averaged optimizer states).
 *
 * @example
 * ```ts
 * const strategy = new LocalSGDStrategy({ localSteps: 16, warmupSteps: 500 });
 * console.log(strategy.name); // local_sgd
 * ```
 */
export class LocalSGDStrategy implements Strategy {
  readonly name = "local_sgd";
  readonly splitsBatch: boolean;
  readonly #localSteps: number;
  readonly #warmupSteps: number;

  /** @throws RangeError if a number of steps is no whole number, or too small; TypeError for an unknown option */
  constructor(options: LocalSGDStrategyOptions = {}) {
    rejectUnknownOptions("LocalSGDStrategy", options, ["localSteps", "warmupSteps", "splitBatch"]);
    this.#localSteps = count("localSteps", options.localSteps ?? 8, 1);
    this.#warmupSteps = count("warmupSteps", options.warmupSteps ?? 0, 0);
    this.splitsBatch = options.splitBatch ?? false;
  }

  connect(group: ProcessGroup, flags: RankFlags): Synchronizer {
    const warmUp = new DDPStrategy().connect(group, flags), models = new Set<LocalModel>();
    const limits = { localSteps: this.#localSteps, warmupSteps: this.#warmupSteps };
    return {
      stepsAlone: true,
      prepareModule: async (module) => {
        const model = new LocalModel(module, { flags, warmUp: await warmUp.prepareModule(module), ...limits });
        models.add(model);
        return model;
      },
      prepareOptimizer: (optimizer, named) => {
        const own = ownOptimizer(optimizer, "`LocalSGDStrategy` cannot average").bind(named);
        const updated = new Set(own.parameters);
        const its = [...models].filter(({ module }) => module.parameters().some((variable) => updated.has(variable)));
        for (const model of its) model.optimizers.push(own);
        return Promise.resolve(
          new LocalOptimizer({
            group,
            flags,
            optimizer: own,
            localSteps: limits.localSteps,
            // What no optimizer updates, such as the moving averages of batch normalization.
            buffers: its.flatMap(({ module }) => [...module.namedBuffers().values()]),
            isWarm: () => its.every(({ isLocal }) => !isLocal),
          }),
        );
      },
    };
  }
}

/** One model of a rank, whose gradients stay on it once it is warm. */
class LocalModel implements ModuleSynchronizer {
  readonly module: Module;
  /** What updates it. */
  readonly optimizers: GradientOptimizer[] = [];
  readonly #parts: { flags: RankFlags; warmUp: ModuleSynchronizer; warmupSteps: number };
  /** Whether the gradients of the newest backward pass are those of this rank alone. */
  isLocal = false;

  constructor(module: Module, parts: { flags: RankFlags; warmUp: ModuleSynchronizer; warmupSteps: number }) {
    this.module = module;
    this.#parts = parts;
  }

  beginBackward({ sync }: { sync: boolean }): BackwardPass {
    if (!sync) return noSynchronization;
    if (this.optimizers.length === 0) {
      throw new Error(
        "local SGD averages what an optimizer updates, but none was set up with this model: pass it to `fabric.setup` with the model",
      );
    }
    const { warmUp, warmupSteps } = this.#parts;
    const isLocal = decisive(() => Math.max(...this.optimizers.flatMap(({ stepCounts }) => stepCounts)) >= warmupSteps);
    onEveryStep(() => void (this.isLocal = isLocal));
    return isLocal ? { gradientReady() {}, finish: () => this.#finishAlone() } : warmUp.beginBackward({ sync });
  }

  #finishAlone(): Promise<void> {
    const { flags } = this.#parts;
    onEveryStep(() => {
      // What ranks agree on they do when they average.
      flags.begin();
      flags.samples.skip();
    });
    const missing = this.module.parameters().find((variable) => !gradientOf(variable));
    if (missing) {
      stepRecorder()?.fail(`gives the parameter ${missing.name} no gradient, which another rank may have`);
    }
    return Promise.resolve();
  }
}

function count(option: string, given: number, least: number): number {
  if (Number.isInteger(given) && given >= least) return given;
  throw new RangeError(`\`${option}\` must be a whole number, ${least} or more, but got ${given}`);
}
