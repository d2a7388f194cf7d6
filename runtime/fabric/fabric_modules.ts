import type { BackwardPass, ModuleSynchronizer } from "../../strategies/strategy.ts";
import { warn } from "../core/messages.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { asModule } from "../nn/layers_module.ts";
import { Module } from "../nn/module.ts";
import { clipGradientsByNorm, clipGradientsByValue } from "../optim/clip.ts";
import { asOptimizer } from "../optim/as_optimizer.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { checkNumber } from "../optim/optimizer_state.ts";
import { accumulateGradient } from "../tensor/gradients.ts";
import { stepRecorder } from "../tensor/step_recording.ts";
import { backward, backwardOf, isRecording, noGrad } from "../tensor/tape.ts";
import { tf } from "../tensor/tf.ts";
import type { ClipGradientsOptions, Model } from "./fabric.ts";
import { type FabricModule, unwrapModule, wrapModule } from "./fabric_module.ts";
import { FabricOptimizer } from "./fabric_optimizer.ts";
import { PendingUpdates } from "./pending_updates.ts";
import type { RankContext } from "./rank_context.ts";
import { LossScaling, ScaledOptimizer } from "./scaled_optimizer.ts";

/** What of a rank's context its models need. */
export type FabricModulesContext = Pick<RankContext, "synchronizer" | "flags" | "precisionInUse" | "scaler">;

/** The models and optimizers that were set up, and the backward passes that tie them to the other ranks. */
export class FabricModules {
  readonly #context: FabricModulesContext;
  readonly #afterStep: (optimizer: FabricOptimizer) => void;
  readonly #scaling: LossScaling | undefined;
  readonly #synchronizers = new Map<Module, ModuleSynchronizer>();
  readonly #originals = new WeakSet<object>();
  /** Models that ran forward since the last backward: those whose gradients are due. */
  readonly #forwarded = new Set<Module>();
  /** The modules in each model, as they were when it was first asked for. */
  readonly #inside = new WeakMap<Module, Module[]>();
  /** How many handles keep a model's gradients on this rank. */
  readonly #withoutSync = new Map<Module, number>();

  readonly #optimizers: FabricOptimizer[] = [];

  /** Steps of optimizers that are not over. */
  readonly pending: PendingUpdates = new PendingUpdates();

  constructor(context: FabricModulesContext, afterStep: (optimizer: FabricOptimizer) => void) {
    this.#context = context;
    if (context.scaler && context.synchronizer.stepsAlone) {
      throw new Error(
        'precision "16-mixed" cannot be used with a strategy whose ranks step alone: each would have a loss scale of its own. Use "bf16-mixed"',
      );
    }
    this.#scaling = context.scaler && new LossScaling(context.scaler);
    this.#afterStep = afterStep;
  }

  async setupModule<M extends Model>(model: M): Promise<FabricModule<M>> {
    if (model instanceof Module && unwrapModule(model) !== model) {
      throw new Error("A model should be passed only once to `fabric.setup`: this is what `setup` returned before");
    }
    if (this.#originals.has(model)) throw new Error("A model should be passed only once to `fabric.setup`");
    const module = asModule(model);
    const synchronizer = await this.#context.synchronizer.prepareModule(module);
    this.#originals.add(model);
    this.#synchronizers.set(module, synchronizer);
    return wrapModule(model, module, {
      beforeForward: (module) => {
        this.pending.check("A forward pass");
        this.#warnOfOwnWeights(module);
      },
      onForward: (module) => this.#forwarded.add(module),
      autocast: this.#context.precisionInUse.autocast,
    });
  }

  async setupOptimizers(
    optimizers: readonly (tf.Optimizer | Optimizer)[],
    model?: Module,
  ): Promise<FabricOptimizer[]> {
    const modules = model ? [unwrapModule(model)] : [...this.#synchronizers.keys()];
    const named = new Map(
      modules.flatMap((module, index) =>
        [...module.namedParameters()].map(([name, v]) => [modules.length > 1 ? `${index}.${name}` : name, v] as const)
      ),
    );
    const made: FabricOptimizer[] = [], { stepsAlone } = this.#context.synchronizer;
    for (const optimizer of optimizers) {
      if (optimizer instanceof FabricOptimizer || this.#originals.has(optimizer)) {
        throw new Error("An optimizer should be passed only once to `fabric.setup`");
      }
      this.#originals.add(optimizer);
      const ready = asOptimizer(optimizer, { named });
      const synchronizer = await this.#context.synchronizer.prepareOptimizer?.(ready, named);
      const parts = { afterStep: this.#afterStep, synchronizer, pending: this.pending, stepsAlone };
      const scaling = this.#scaling;
      made.push(scaling ? new ScaledOptimizer(ready, { ...parts, scaling }) : new FabricOptimizer(ready, parts));
    }
    this.#optimizers.push(...made);
    return made;
  }

  /** Makes all weights the same on all ranks, if they may differ. Waits for every rank. */
  async synchronize(): Promise<void> {
    for (const optimizer of this.#optimizers) await optimizer.synchronize();
  }

  /** A model that computes in eval mode does so with what all ranks have, or says that it does not. */
  #warnOfOwnWeights(module: Module): void {
    if (module.training || !this.#optimizers.some(({ differs }) => differs)) return;
    warn(
      "own-weights",
      "a model in eval mode computes with the weights of this rank alone, which differ from the others' between the averages of local SGD: " +
        "`await optimizer.synchronize()` on all ranks makes them the same.",
    );
  }

  async backward(
    loss: tf.Tensor | (() => tf.Tensor),
    options: { model?: Module; retainTape?: boolean },
  ): Promise<tf.Tensor> {
    this.pending.check("`fabric.backward`");
    const { autocast } = this.#context.precisionInUse;
    if (typeof loss !== "function") {
      const passes = this.#beginPasses(options.model);
      const scaled = this.#scaled(loss);
      this.#collect(
        passes,
        (variables, onGradient) =>
          autocast(() => void backward(scaled, variables, { onGradient, retainTape: options.retainTape })),
      );
      if (scaled !== loss) scaled.dispose();
      await this.#finish(passes);
      return loss;
    }
    // The closure runs forward while it is recorded, so the passes are known only after it.
    const modules = options.model ? [unwrapModule(options.model)] : [...this.#synchronizers.keys()];
    const { gradients, loss: scaled } = autocast(() =>
      backwardOf(() => this.#scaled(loss()), modules.flatMap((module) => module.parameters()))
    );
    const passes = this.#beginPasses(options.model);
    for (const [variable, gradient] of gradients) {
      accumulateGradient(variable, this.#unscaled(gradient));
      for (const { pass } of passes) pass.gradientReady(variable);
    }
    await this.#finish(passes);
    if (!this.#scaling) return scaled;
    const result = scaled.div(this.#scaling.scaler.scale);
    scaled.dispose();
    return result;
  }

  /** Takes part in the others' backward pass with the gradients that are there, if any. */
  async backwardWithoutBatch(model: Module | undefined): Promise<void> {
    this.pending.check("`fabric.backwardWithoutBatch`");
    if (!model && this.#synchronizers.size > 1) {
      throw new Error(
        `\`fabric.backwardWithoutBatch\` must be told which of the ${this.#synchronizers.size} models it is for: give it { model }`,
      );
    }
    await this.#finish(this.#beginPasses(model ?? [...this.#synchronizers.keys()][0]));
  }

  /** The loss to compute the gradients of: in float16 small ones would vanish. */
  #scaled(loss: tf.Tensor): tf.Tensor {
    if (!this.#scaling || !isRecording() || !(loss instanceof tf.Tensor)) return loss;
    stepRecorder()?.fail("computes in 16-mixed, which skips a step whose gradients overflow");
    return tf.mul(loss, this.#scaling.scaler.scale);
  }

  /** A gradient of the loss from one of the scaled loss, in whose place it comes. */
  #unscaled(gradient: tf.Tensor): tf.Tensor {
    if (!this.#scaling) return gradient;
    const { scale } = this.#scaling.scaler;
    const unscaled = noGrad(() => tf.mul(gradient, 1 / scale));
    gradient.dispose();
    return unscaled;
  }

  async #finish(passes: readonly { module: Module; pass: BackwardPass }[]): Promise<void> {
    for (const { pass } of passes) await pass.finish();
    if (await this.#scaling?.inspect(passes.flatMap(({ module }) => module.parameters()))) {
      this.#context.flags.note("nonFinite");
    }
  }

  /** What decides, besides its arguments, what a step with these models computes: their modes, and whether gradients stay on this rank. */
  modes(): unknown[] {
    const modes: unknown[] = [];
    for (const module of this.#synchronizers.keys()) {
      let inside = this.#inside.get(module);
      if (!inside) this.#inside.set(module, inside = module.modules());
      for (const { training } of inside) modes.push(training);
      modes.push((this.#withoutSync.get(module) ?? 0) > 0);
    }
    return modes;
  }

  withoutSync(model: Module | undefined): Disposable {
    const modules = model ? [unwrapModule(model)] : [...this.#synchronizers.keys()];
    if (!modules.every((module) => this.#synchronizers.has(module))) {
      throw new Error("`fabric.noBackwardSync` was given a model that `fabric.setup` did not make ready");
    }
    const change = (by: number) =>
      modules.forEach((m) => this.#withoutSync.set(m, (this.#withoutSync.get(m) ?? 0) + by));
    change(1);
    let done = false;
    return {
      [Symbol.dispose]() {
        if (!done) change(-1);
        done = true;
      },
    };
  }

  async clipGradients(model: Module, options: ClipGradientsOptions): Promise<number | undefined> {
    rejectUnknownOptions("fabric.clipGradients", options, ["clipVal", "maxNorm", "normType", "errorIfNonfinite"]);
    const { clipVal, maxNorm, ...rest } = options;
    if (clipVal !== undefined && maxNorm !== undefined) {
      throw new TypeError("Only one of `clipVal` and `maxNorm` can be given: they are two different ways to clip");
    }
    const variables = unwrapModule(model).parameters();
    if (clipVal !== undefined) {
      checkNumber("clipVal", clipVal);
      return void clipGradientsByValue(variables, clipVal);
    }
    if (maxNorm === undefined) throw new TypeError("Give either `clipVal` or `maxNorm` to clip gradients");
    // Under a loss scale gradients overflow now and then; their step is skipped.
    return await clipGradientsByNorm(variables, { maxNorm, errorIfNonfinite: !this.#scaling, ...rest });
  }

  #beginPasses(model: Module | undefined): { module: Module; pass: BackwardPass }[] {
    const modules = model
      ? [unwrapModule(model)]
      : [...this.#synchronizers.keys()].filter((m) => this.#forwarded.has(m));
    this.#forwarded.clear();
    return modules.map((module) => {
      const synchronizer = this.#synchronizers.get(module);
      if (!synchronizer) {
        throw new Error("`fabric.backward(…, { model })` was given a model that `fabric.setup` did not make ready");
      }
      return { module, pass: synchronizer.beginBackward({ sync: !this.#withoutSync.get(module) }) };
    });
  }

  #collect(
    passes: readonly { module: Module; pass: BackwardPass }[],
    run: (variables: tf.Variable[], onGradient: (variable: tf.Variable, gradient: tf.Tensor) => void) => void,
  ): void {
    const variables = passes.flatMap(({ module }) => module.parameters());
    run(variables, (variable, gradient) => {
      accumulateGradient(variable, this.#unscaled(gradient));
      for (const { pass } of passes) pass.gradientReady(variable);
    });
  }
}
