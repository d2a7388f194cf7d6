import { isKept, setKept } from "../tensor/engine.ts";
import { gradientOf, zeroGradients } from "../tensor/gradients.ts";
import type { StateDict } from "../tensor/state.ts";
import { type StepRecorder, stepRecorder } from "../tensor/step_recording.ts";
import { noGrad } from "../tensor/tape.ts";
import { tf } from "../tensor/tf.ts";
import type { Optimizer } from "./optimizer.ts";
import { assignState, checkNumber, checkOptimizerState, stateNumber } from "./optimizer_state.ts";

/** How tfjs's optimizers keep what they know of one parameter: in arrays, at the parameter's position in the call. */
type Accumulators = { originalName: string; variable: tf.Variable }[];

interface Internals {
  learningRate: number;
  iterations_: number;
  setLearningRate?(learningRate: number): void;
  c?: tf.Tensor;
}

/**
 * An optimizer of tfjs with gradients from outside, and state that is saved and loaded whole: tfjs's own `getWeights` leaves out
 * Adamax's and recomputes Adam's, which changes the last bits. Its learning rate can be set, whichever it is.
 */
export class TfjsOptimizer implements Optimizer {
  readonly name: string;
  readonly parameters: readonly tf.Variable[];
  /** The optimizer underneath. */
  readonly original: tf.Optimizer;
  readonly #names: readonly string[];

  constructor(original: tf.Optimizer, named: ReadonlyMap<string, tf.Variable>) {
    if (named.size === 0) throw new Error("The optimizer got no parameters: the model has no trainable variables");
    // tfjs takes any rate, and NaN would reach every parameter with the first step.
    checkNumber("learningRate", (original as unknown as Internals).learningRate);
    this.original = original;
    this.name = original.getClassName();
    this.#names = [...named.keys()];
    this.parameters = [...named.values()];
    // Momentum keeps a scalar that a scope would free.
    for (const field of Object.values(original)) {
      if (field instanceof tf.Tensor && !isKept(field)) setKept(field, true);
    }
  }

  get learningRate(): number {
    return this.#internals.learningRate;
  }

  set learningRate(value: number) {
    checkNumber("learningRate", value);
    if (this.#internals.setLearningRate) this.#internals.setLearningRate(value);
    else this.#internals.learningRate = value;
  }

  step(): void {
    this.#apply((variable) => gradientOf(variable));
  }

  zeroGrad(): void {
    zeroGradients(this.parameters);
  }

  stateDict(): StateDict {
    const state: Record<string, StateDict> = {};
    for (const [field, accumulators] of this.#accumulators()) {
      for (const [index, { variable }] of accumulators.entries()) {
        (state[this.#names[index]] ??= {})[field] = variable;
      }
    }
    return {
      name: this.name,
      learningRate: this.learningRate,
      iterations: this.original.iterations,
      shared: Object.fromEntries(this.#sharedVariables()),
      state,
    };
  }

  loadStateDict(state: StateDict, options: { strict?: boolean } = {}): void {
    const perParameter = checkOptimizerState(state, {
      name: this.name,
      parameters: this.#names,
      strict: options.strict ?? true,
    });
    const learningRate = stateNumber(state, "learningRate"), iterations = stateNumber(state, "iterations");
    for (const [, accumulators] of this.#accumulators()) {
      accumulators.forEach(({ variable }) => variable.dispose());
      accumulators.length = 0;
    }
    if (Object.keys(perParameter).length > 0) {
      // A step without gradients makes the accumulators in tfjs's own way, with its initial values.
      this.#apply(() => undefined);
      for (const [field, accumulators] of this.#accumulators()) {
        for (const [index, { variable }] of accumulators.entries()) {
          const saved = perParameter[this.#names[index]];
          if (saved) assignState(variable, saved[field], `${this.#names[index]}.${field}`);
        }
      }
    }
    const shared = (state.shared ?? {}) as StateDict;
    for (const [name, variable] of this.#sharedVariables()) assignState(variable, shared[name], name);
    this.learningRate = learningRate;
    this.#internals.iterations_ = iterations;
  }

  dispose(): void {
    this.original.dispose();
    this.#internals.c?.dispose();
  }

  get #internals(): Internals {
    return this.original as unknown as Internals;
  }

  #apply(gradientFor: (variable: tf.Variable) => tf.Tensor | undefined): void {
    // All parameters every time, because tfjs goes by position.
    const gradients = this.parameters.map((variable) => ({ name: variable.name, tensor: gradientFor(variable) }));
    noGrad(() =>
      tf.tidy(() => {
        const apply = () => this.original.applyGradients(gradients as Parameters<tf.Optimizer["applyGradients"]>[0]);
        const recorder = stepRecorder();
        if (recorder) this.#record(recorder, apply);
        else apply();
      })
    );
  }

  /** Tells a recording that the learning rate may change, and that steps are counted. */
  #record(recorder: StepRecorder, apply: () => void): void {
    const internals = this.#internals;
    const iterations = internals.iterations_ ?? 0;
    const rate = () => internals.learningRate;
    if (!isStock(this.original)) {
      // What it does with its learning rate is not known.
      recorder.guard(rate);
      apply();
    } else if (internals.c) {
      recorder.standsFor(internals.c, () => -internals.learningRate);
      apply();
    } else {
      // These make a tensor of the rate, or of minus the rate, wherever they need it. In this call the number in its place tells
      // which tensors those are.
      const learningRate = internals.learningRate;
      internals.learningRate = MARK;
      try {
        recorder.marked(MARK, () => learningRateOf(internals, learningRate), apply);
      } finally {
        internals.learningRate = learningRate;
      }
    }
    internals.iterations_ = iterations;
    recorder.effect(() => internals.iterations_++);
  }

  #accumulators(): [string, Accumulators][] {
    return Object.entries(this.original).filter(([, field]) => Array.isArray(field)) as [string, Accumulators][];
  }

  #sharedVariables(): [string, tf.Variable][] {
    return Object.entries(this.original).filter(([, field]) => field instanceof tf.Variable) as [string, tf.Variable][];
  }
}

/** A number that no optimizer computes with otherwise, the same in float32 and in float64. */
const MARK = Math.fround(1.2345678e-3 * Math.E);

const STOCK: readonly unknown[] = [
  tf.SGDOptimizer,
  tf.MomentumOptimizer,
  tf.AdagradOptimizer,
  tf.AdadeltaOptimizer,
  tf.AdamaxOptimizer,
  tf.RMSPropOptimizer,
  tf.AdamOptimizer,
];

/** One of tfjs's own, which is known to use its learning rate only as a factor. */
function isStock(optimizer: tf.Optimizer): boolean {
  return STOCK.includes(optimizer.constructor);
}

/** The rate now; while its place is taken by the mark, the one before. */
function learningRateOf(internals: Internals, before: number): number {
  return internals.learningRate === MARK ? before : internals.learningRate;
}
