import { atCaller } from "../core/at_caller.ts";
import { gradientOf, zeroGradients } from "../tensor/gradients.ts";
import type { StateDict } from "../tensor/state.ts";
import { decisive, onEveryStep, stepRecorder } from "../tensor/step_recording.ts";
import { noGrad } from "../tensor/tape.ts";
import { tf } from "../tensor/tf.ts";
import type { Optimizer } from "./optimizer.ts";
import { assignState, checkNumber, checkOptimizerState, stateNumber } from "./optimizer_state.ts";

/** Parameters that are updated differently from the others. */
export interface ParameterGroup {
  /** The variables of the group. */
  parameters: Iterable<tf.Variable>;
  /** Default: the optimizer's. When the optimizer's changes, this one changes in proportion. */
  learningRate?: number;
  /** Default: the optimizer's. */
  weightDecay?: number;
}

/** Options that all of this library's optimizers share. */
export interface GradientOptimizerOptions {
  /** The step size. Default: 1e-3. */
  learningRate?: number;
  /** See the optimizer. */
  weightDecay?: number;
  /** What to update, in groups or not. Default: all trainable parameters of the models it is set up with. */
  parameters?: Iterable<tf.Variable | ParameterGroup>;
}

/**
 * What {@linkcode GradientOptimizer.update} works on. Numbers that are others in every step are to be read in a `changing(() => …)`, so that
 * the update can be compiled; outside of one, a step that is compiled is recorded anew when the learning rate changes, and not compiled
 * at all when `step` is used.
 */
export interface ParameterUpdate {
  readonly variable: tf.Variable;
  readonly gradient: tf.Tensor;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** How often this parameter has been updated, this time included. */
  readonly step: number;
  /** This is the first update of this parameter. */
  readonly isFirst: boolean;
  /** What the optimizer remembers of this parameter: a variable of its shape, made as zeros when first asked for. */
  state(name: string): tf.Variable;
}

interface Slot {
  readonly name: string;
  readonly variable: tf.Variable;
  readonly rateFactor: number;
  readonly weightDecay: number;
  readonly state: Map<string, tf.Variable>;
  step: number;
  /** Whether it is updated here, see {@linkcode GradientOptimizer.updateOnly}. */
  isOwn: boolean;
}

/** The frame of this library's optimizers: parameters, groups, learning rate and state. A subclass says how one parameter is updated. */
export abstract class GradientOptimizer implements Optimizer {
  abstract readonly name: string;
  #learningRate: number;
  readonly #weightDecay: number;
  readonly #chosen: readonly (tf.Variable | ParameterGroup)[] | undefined;
  #slots: Slot[] | undefined;

  constructor(options: GradientOptimizerOptions, defaultWeightDecay: number) {
    this.#learningRate = options.learningRate ?? 1e-3;
    this.#weightDecay = options.weightDecay ?? defaultWeightDecay;
    try {
      checkNumber("learningRate", this.#learningRate);
      checkNumber("weightDecay", this.#weightDecay);
    } catch (error) {
      throw atCaller(error, new.target);
    }
    this.#chosen = options.parameters && [...options.parameters];
  }

  /** Computes the new value of one parameter and assigns it. Runs unrecorded and in a tidy. */
  protected abstract update(update: ParameterUpdate): void;

  /** Says which parameters there are, and their names. Returns itself. @throws Error if it was given others before */
  bind(named: ReadonlyMap<string, tf.Variable>): this {
    const names = new Map([...named].map(([name, variable]) => [variable, name]));
    const slots: Slot[] = [];
    for (const entry of this.#chosen ?? named.values()) {
      const group = entry instanceof tf.Variable ? { parameters: [entry] } : entry;
      const rateFactor = this.#rateFactor(group);
      const weightDecay = group.weightDecay ?? this.#weightDecay;
      checkNumber("weightDecay", weightDecay);
      for (const variable of group.parameters) {
        const name = names.get(variable);
        if (name === undefined) {
          throw new Error(
            `${this.name} got a parameter (variable ${variable.name}) that is no trainable part of the models it is set up with`,
          );
        }
        if (slots.some((slot) => slot.variable === variable)) {
          throw new Error(`${this.name} got the parameter ${name} twice`);
        }
        slots.push({ name, variable, rateFactor, weightDecay, state: new Map(), step: 0, isOwn: true });
      }
    }
    if (slots.length === 0) throw new Error(`${this.name} got no parameters: the model has no trainable variables`);
    if (
      this.#slots &&
      !(slots.length === this.#slots.length && slots.every((s, i) => s.variable === this.#slots![i].variable))
    ) {
      throw new Error(`${this.name} updates another model's parameters already: make one optimizer for each`);
    }
    this.#slots ??= slots;
    return this;
  }

  /**
   * From now on only these of its parameters are updated here, and have state; others do it for the rest. Their state is forgotten, and left out when a
   * state with all of them is loaded.
   */
  updateOnly(parameters: Iterable<tf.Variable>): void {
    const own = new Set(parameters);
    for (const slot of this.#bound) {
      slot.isOwn = own.has(slot.variable);
      if (slot.isOwn) continue;
      disposeState(slot);
      slot.step = 0;
    }
  }

  get parameters(): readonly tf.Variable[] {
    return this.#bound.map((slot) => slot.variable);
  }

  /** How often each of its parameters was updated, in the order of {@linkcode parameters}. */
  get stepCounts(): number[] {
    return this.#bound.map(({ step }) => step);
  }

  /** The names of what it remembers of each parameter. */
  get stateNames(): string[][] {
    return this.#bound.map(({ state }) => [...state.keys()]);
  }

  /** What it remembers, parameter by parameter. */
  get stateVariables(): tf.Variable[] {
    return this.#bound.flatMap(({ state }) => [...state.values()]);
  }

  /** Counts as many steps of each parameter as an optimizer on another rank, and makes as zeros what it lacks of that one's state. */
  catchUp({ stepCounts, stateNames }: { stepCounts: readonly number[]; stateNames: readonly string[][] }): void {
    for (const [i, slot] of this.#bound.entries()) {
      slot.step = stepCounts[i];
      for (const name of stateNames[i]) stateOf(slot, name);
    }
  }

  get learningRate(): number {
    return this.#learningRate;
  }

  set learningRate(value: number) {
    checkNumber("learningRate", value);
    this.#learningRate = value;
  }

  step(): void {
    noGrad(() =>
      tf.tidy(() => {
        for (const slot of this.#bound) {
          const gradient = gradientOf(slot.variable);
          if (!gradient || !slot.isOwn) continue;
          const isFirst = decisive(() => slot.step === 0);
          onEveryStep(() => slot.step++);
          this.update(this.#updateOf(slot, { gradient, isFirst }));
        }
      })
    );
  }

  zeroGrad(): void {
    zeroGradients(this.parameters);
  }

  stateDict(): StateDict {
    const state: Record<string, StateDict> = {};
    for (const slot of this.#bound) {
      if (slot.step > 0) state[slot.name] = { step: slot.step, ...Object.fromEntries(slot.state) };
    }
    return { name: this.name, learningRate: this.#learningRate, state };
  }

  loadStateDict(state: StateDict, options: { strict?: boolean } = {}): void {
    const parameters = this.#bound.map((slot) => slot.name);
    const saved = checkOptimizerState(state, { name: this.name, parameters, strict: options.strict ?? true });
    this.learningRate = stateNumber(state, "learningRate");
    for (const slot of this.#bound) {
      if (!slot.isOwn) continue;
      const { step: _, ...tensors } = saved[slot.name] ?? {};
      slot.step = saved[slot.name] ? stateNumber(saved[slot.name], "step") : 0;
      for (const [name, variable] of slot.state) {
        if (name in tensors) continue;
        variable.dispose();
        slot.state.delete(name);
      }
      for (const [name, value] of Object.entries(tensors)) {
        assignState(stateOf(slot, name), value, `${slot.name}.${name}`);
      }
    }
  }

  dispose(): void {
    for (const slot of this.#slots ?? []) disposeState(slot);
  }

  #updateOf(slot: Slot, { gradient, isFirst }: { gradient: tf.Tensor; isFirst: boolean }): ParameterUpdate {
    const rate = () => this.#learningRate * slot.rateFactor;
    const { name } = this;
    return {
      variable: slot.variable,
      gradient,
      isFirst,
      weightDecay: slot.weightDecay,
      get learningRate() {
        return decisive(rate);
      },
      get step() {
        stepRecorder()?.fail(
          `takes the count of steps of ${name} for a number that stays: read it in changing(() => …)`,
        );
        return slot.step;
      },
      state: (name) => stateOf(slot, name),
    };
  }

  get #bound(): Slot[] {
    if (this.#slots) return this.#slots;
    throw new Error(
      `${this.name} has no parameters yet: pass it to fabric.setup with its model, or return it from configureOptimizers`,
    );
  }

  #rateFactor({ learningRate }: ParameterGroup): number {
    if (learningRate === undefined) return 1;
    checkNumber("learningRate", learningRate);
    if (this.#learningRate > 0) return learningRate / this.#learningRate;
    throw new RangeError(
      "A group can have a `learningRate` of its own only if the optimizer's is above 0, since it changes in proportion",
    );
  }
}

function disposeState({ state }: Slot): void {
  state.forEach((variable) => variable.dispose());
  state.clear();
}

function stateOf(slot: Slot, name: string): tf.Variable {
  let variable = slot.state.get(name);
  if (!variable) slot.state.set(name, variable = tf.tidy(() => tf.variable(tf.zerosLike(slot.variable), false)));
  return variable;
}
