import { isHostTensor } from "../tensor/host_tensor.ts";
import { fromHost } from "../tensor/read.ts";
import type { StateDict, StateTree } from "../tensor/state.ts";
import { tf } from "../tensor/tf.ts";

/** Refuses the state of another kind of optimizer, or of one for other parameters. */
export function checkOptimizerState(
  state: StateDict,
  expected: { name: string; parameters: Iterable<string>; strict: boolean },
): Record<string, StateDict> {
  if (state.name !== expected.name) {
    throw new Error(
      `This is the state of ${
        typeof state.name === "string" ? state.name : "no optimizer"
      }, which ${expected.name} cannot go on from`,
    );
  }
  const perParameter = (state.state ?? {}) as Record<string, StateDict>;
  const known = new Set(expected.parameters);
  const unexpected = Object.keys(perParameter).filter((name) => !known.has(name));
  if (expected.strict && unexpected.length > 0) {
    throw new Error(
      `The state of ${expected.name} has parameters that it does not update here: ${
        unexpected.join(", ")
      }. It updates: ${[...known].join(", ")}`,
    );
  }
  return perParameter;
}

/** Copies a saved tensor into a variable. @throws Error if there is none or its shape differs */
export function assignState(variable: tf.Variable, value: StateTree | undefined, name: string): void {
  if (!(value instanceof tf.Tensor) && !isHostTensor(value)) {
    throw new Error(`The optimizer's state has no tensor \`${name}\``);
  }
  if (!tf.util.arraysEqual([...value.shape], variable.shape)) {
    throw new Error(`\`${name}\` has shape [${value.shape}] in the optimizer's state but [${variable.shape}] here`);
  }
  tf.tidy(() => variable.assign(value instanceof tf.Tensor ? value.clone() : fromHost(value)));
}

/** The number under `name`. @throws Error if it is none */
export function stateNumber(state: StateDict, name: string): number {
  const value = state[name];
  if (typeof value !== "number") {
    throw new Error(`The optimizer's state must have a number \`${name}\`, but has ${String(value)}`);
  }
  return value;
}

/** @throws RangeError if a hyperparameter is not a finite number in [min, below) */
export function checkNumber(name: string, value: number, { min = 0, below = Infinity } = {}): void {
  if (typeof value === "number" && value >= min && value < below) return;
  throw new RangeError(
    `\`${name}\` must be a number from ${min}${below < Infinity ? ` and below ${below}` : ""}, but got ${
      typeof value === "string" ? JSON.stringify(value) : String(value)
    }`,
  );
}
