import type { Module } from "../../nn/module.ts";
import { fromHost } from "../../tensor/read.ts";
import type { HostTensor } from "../../tensor/host_tensor.ts";
import type { StateDict } from "../../tensor/state.ts";
import { noGrad } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";

/** A second set of a model's variables, which follows the first. The tensors are its own until `dispose`. */
export class WeightAverage {
  readonly #variables = new Map<string, tf.Variable>();
  /** How often it was updated. */
  updates = 0;

  /**
   * Moves towards the model's present values: `average + rate · (present - average)`. The first time takes them as they are, and what is no
   * floating-point number always.
   */
  update(module: Module, rate: number): void {
    noGrad(() =>
      tf.tidy(() => {
        for (const [name, present] of variablesOf(module)) {
          const average = this.#variables.get(name);
          if (!average) this.#variables.set(name, tf.variable(present.clone(), false));
          else if (this.updates === 0 || present.dtype !== "float32") average.assign(present.clone());
          else average.assign(average.add(present.sub(average).mul(rate)));
        }
      })
    );
    this.updates++;
  }

  /** Puts the average into the model. */
  copyTo(module: Module): void {
    noGrad(() =>
      tf.tidy(() => {
        for (const [name, present] of variablesOf(module)) present.assign(this.#of(name).clone());
      })
    );
  }

  /** Exchanges the values of the model and the average. */
  swap(module: Module): void {
    noGrad(() =>
      tf.tidy(() => {
        for (const [name, present] of variablesOf(module)) {
          const average = this.#of(name);
          const values = present.clone();
          present.assign(average.clone());
          average.assign(values);
        }
      })
    );
  }

  /** The variables themselves, by name. */
  stateDict(): StateDict {
    return Object.fromEntries(this.#variables);
  }

  /** Takes over saved values; those there were are freed. */
  loadStateDict(state: StateDict): void {
    this.dispose();
    tf.tidy(() => {
      for (const [name, value] of Object.entries(state)) {
        const tensor = value instanceof tf.Tensor ? value.clone() : fromHost(value as HostTensor);
        this.#variables.set(name, tf.variable(tensor, false));
      }
    });
  }

  dispose(): void {
    for (const variable of this.#variables.values()) variable.dispose();
    this.#variables.clear();
  }

  #of(name: string): tf.Variable {
    const average = this.#variables.get(name);
    if (average) return average;
    throw new Error(`the averaged weights lack \`${name}\`: the model has changed since they were begun`);
  }
}

function variablesOf(module: Module): [string, tf.Variable][] {
  return Object.entries(module.stateDict()) as unknown as [string, tf.Variable][];
}
