import { Callback } from "../callback.ts";
import type { LightningModule } from "../lightning_module.ts";
import type { Trainer } from "../trainer.ts";
import { info } from "../../core/messages.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import { asModule } from "../../nn/layers_module.ts";
import { Module } from "../../nn/module.ts";
import type { StateDict } from "../../tensor/state.ts";
import { noGrad } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";
import { checkNumber, checkWhole } from "./checks.ts";

/** Options of {@linkcode BackboneFinetuning}. */
export interface BackboneFinetuningOptions {
  /** The epoch, from 0, at whose start the backbone begins to learn. Default: 10. */
  unfreezeBackboneAtEpoch?: number;
  /** Factor of the backbone's learning rate from one epoch to the next. Default: 2 for every epoch. */
  lambda?: (epoch: number) => number;
  /** The backbone's first learning rate, as a part of the optimizer's. Default: 0.1. */
  backboneInitialRatioLr?: number;
  /** The backbone's first learning rate itself. Default: none, the ratio counts. */
  backboneInitialLr?: number;
  /** Let the backbone's learning rate stop at the optimizer's. Default: true. */
  shouldAlign?: boolean;
  /** Say the learning rates of each epoch. Default: false. */
  verbose?: boolean;
}

const OWNER = "BackboneFinetuning";

/**
 * Trains the rest of a model first, and its `backbone`, a field of the module, from an epoch on, at a learning rate of its own that grows to
 * the optimizer's.
 *
 * The backbone's rate holds for any optimizer: after each step of it, what the step changed in the backbone is scaled by the ratio of the two rates, which
 * is the same as a step at that rate.
 *
 * @example
 * ```ts
 * const finetuning = new BackboneFinetuning({ unfreezeBackboneAtEpoch: 3, lambda: () => 1.5 });
 * console.assert(finetuning.backboneLearningRate === undefined);
 * ```
 */
export class BackboneFinetuning extends Callback {
  readonly #options: Required<Omit<BackboneFinetuningOptions, "backboneInitialLr">> & { backboneInitialLr?: number };
  #rate: number | undefined;
  /** The epoch that the rate is of. */
  #rateEpoch = -1;
  /** What the backbone was before the optimizer's step. */
  #before: [tf.Variable, tf.Tensor][] = [];
  #ratio = 1;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(options: BackboneFinetuningOptions = {}) {
    super();
    rejectUnknownOptions(OWNER, options, [
      "unfreezeBackboneAtEpoch",
      "lambda",
      "backboneInitialRatioLr",
      "backboneInitialLr",
      "shouldAlign",
      "verbose",
    ]);
    const { unfreezeBackboneAtEpoch = 10, lambda = () => 2, backboneInitialRatioLr = 0.1, backboneInitialLr } = options;
    checkWhole(OWNER, "unfreezeBackboneAtEpoch", unfreezeBackboneAtEpoch);
    checkNumber(OWNER, "backboneInitialRatioLr", backboneInitialRatioLr, { open: true });
    if (backboneInitialLr !== undefined) checkNumber(OWNER, "backboneInitialLr", backboneInitialLr, { open: true });
    if (typeof lambda !== "function") {
      throw new TypeError(`\`${OWNER}({ lambda })\` must be a function of the epoch, but got ${typeof lambda}`);
    }
    this.#options = {
      unfreezeBackboneAtEpoch,
      lambda,
      backboneInitialRatioLr,
      backboneInitialLr,
      shouldAlign: options.shouldAlign ?? true,
      verbose: options.verbose ?? false,
    };
  }

  /** The backbone's learning rate, undefined while it is frozen. */
  get backboneLearningRate(): number | undefined {
    return this.#rate;
  }

  override stateDict(): StateDict {
    return { rate: this.#rate ?? null, rateEpoch: this.#rateEpoch };
  }
  override loadStateDict(state: StateDict): void {
    this.#rate = state.rate as number | null ?? undefined;
    this.#rateEpoch = state.rateEpoch as number;
  }

  /** @throws TypeError if the module has no `backbone` that can be frozen; Error if there is not one optimizer */
  override onTrainStart(trainer: Trainer, module: LightningModule): void {
    const backbone = backboneOf(module);
    if (trainer.optimizers.length !== 1) {
      throw new Error(
        `\`${OWNER}\` works with one optimizer, but \`configureOptimizers\` returned ${trainer.optimizers.length}`,
      );
    }
    // The optimizer knows the backbone already; without gradients it leaves it alone.
    if (trainer.currentEpoch < this.#options.unfreezeBackboneAtEpoch) backbone.freeze();
  }

  override onTrainEpochStart(trainer: Trainer, module: LightningModule): void {
    const { unfreezeBackboneAtEpoch, lambda, shouldAlign, verbose } = this.#options;
    const { currentEpoch: epoch } = trainer;
    if (epoch < unfreezeBackboneAtEpoch || epoch === this.#rateEpoch) return;
    const current = trainer.optimizers[0].learningRate;
    if (this.#rate === undefined) {
      this.#rate = this.#options.backboneInitialLr ?? current * this.#options.backboneInitialRatioLr;
      backboneOf(module).unfreeze();
    } else {
      const next = lambda(epoch + 1) * this.#rate;
      this.#rate = shouldAlign && next > current ? current : next;
    }
    this.#rateEpoch = epoch;
    if (verbose) info(`Current lr: ${current}, Backbone lr: ${this.#rate}`);
  }

  override onBeforeOptimizerStep(trainer: Trainer, module: LightningModule): void {
    const rate = this.#rate, current = trainer.optimizers[0].learningRate;
    if (rate === undefined || rate === current || current === 0) return;
    this.#ratio = rate / current;
    this.#before = backboneOf(module).parameters().map((variable) => [variable, noGrad(() => variable.clone())]);
  }

  override onTrainBatchEnd(): void {
    if (this.#before.length === 0) return;
    noGrad(() =>
      tf.tidy(() => {
        for (const [variable, before] of this.#before) {
          variable.assign(before.add(variable.sub(before).mul(this.#ratio)));
        }
      })
    );
    for (const [, before] of this.#before) before.dispose();
    this.#before = [];
  }
}

function backboneOf(module: LightningModule): Module {
  const { backbone } = module as unknown as { backbone?: unknown };
  if (backbone instanceof Module || backbone instanceof tf.LayersModel) return asModule(backbone);
  throw new TypeError(
    `\`${module.constructor.name}\` needs a field \`backbone\`, a tfjs layers model or a Module, for \`${OWNER}\`, but has ${
      backbone === undefined ? "none" : typeof backbone
    }`,
  );
}
