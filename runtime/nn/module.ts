import { zeroGradients } from "../tensor/gradients.ts";
import { type HostTensor, isHostTensor } from "../tensor/host_tensor.ts";
import { fromHost } from "../tensor/read.ts";
import type { StateDict, Stateful } from "../tensor/state.ts";
import { tf } from "../tensor/tf.ts";
import { dotted, type FoundVariable, isLayer, layerVariables } from "./collect.ts";

/** Variables that {@linkcode Module.requiresGrad} froze, as opposed to those that were made untrainable. */
const frozen = new WeakSet<tf.Variable>();

/**
 * A model: a class with a `forward` method whose fields hold variables, tfjs layers and models, other modules, and arrays and plain
 * records of them.
 *
 * Its parameters are named after where they lie (`net.0.kernel`, `blocks.3.attention.query.kernel`), so that the names are the same in
 * every process and run. Getters, `#private` fields and objects of other classes are not looked into. A variable that lies in two
 * places counts once, under the first.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * class Net extends Module {
 *   encoder = tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 8, activation: "relu" })] });
 *   scale = tf.variable(tf.scalar(2));
 *   override forward(x: tf.Tensor) {
 *     return this.run(this.encoder, x).mul(this.scale);
 *   }
 * }
 * const net = new Net();
 * console.assert([...net.namedParameters().keys()].join() === "encoder.0.kernel,encoder.0.bias,scale");
 * net.dispose();
 * ```
 */
export class Module implements Stateful {
  /**
   * True in train mode: dropout drops, batch normalisation uses the batch, and what `fabric.setup` returned records its forward pass.
   * Changed by {@linkcode train} and {@linkcode eval}, which reach the modules inside as well.
   */
  training = true;

  /** Computes the outputs. Subclasses implement it. @throws Error if they do not */
  // deno-lint-ignore no-explicit-any
  forward(..._inputs: any[]): any {
    throw new Error(`\`${this.constructor.name}\` has no \`forward\` method: write one that computes its output`);
  }

  /** The same as {@linkcode forward}. */
  call(...inputs: Parameters<this["forward"]>): ReturnType<this["forward"]> {
    return this.forward(...inputs);
  }

  /**
   * Applies a tfjs layer or model in this module's mode. `layer.apply(x)` alone would run in inference mode, where dropout does nothing
   * and batch normalisation uses its moving averages.
   */
  run(layer: tf.layers.Layer, inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return layer.apply(inputs, { training: this.training }) as tf.Tensor;
  }

  /** What is looked into for variables, each with its part of the name. Default: the fields of the object. */
  protected *children(): Iterable<[string, unknown]> {
    for (const [name, field] of Object.entries(Object.getOwnPropertyDescriptors(this))) {
      if ("value" in field && field.enumerable) yield [name, field.value];
    }
  }

  /** The trainable variables by name, in the order of the fields. Frozen ones are not among them. */
  namedParameters(): Map<string, tf.Variable> {
    return this.#select(isTrainable);
  }

  /** The other variables by name: moving averages, variables made with `trainable: false`, and frozen parameters. */
  namedBuffers(): Map<string, tf.Variable> {
    return this.#select((found) => !isTrainable(found));
  }

  /** The trainable variables, in the order of {@linkcode namedParameters}. */
  parameters(): tf.Variable[] {
    return [...this.namedParameters().values()];
  }

  /** This module and all modules inside it, by name; its own name is empty. */
  namedModules(): Map<string, Module> {
    const modules = new Map<string, Module>();
    const seen = new Set<unknown>();
    const visit = (value: unknown, name: string) => {
      if (value instanceof Module) {
        if (seen.has(value)) return;
        seen.add(value);
        modules.set(name, value);
        for (const [part, child] of value.children()) visit(child, dotted(name, part));
      } else eachItem(value, seen, (part, item) => visit(item, dotted(name, part)));
    };
    visit(this, "");
    return modules;
  }

  /** This module and all modules inside it. */
  modules(): Module[] {
    return [...this.namedModules().values()];
  }

  /** Puts this module and those inside it into train mode (or, given false, into eval mode). Returns itself. */
  train(mode = true): this {
    if (typeof mode !== "boolean") throw new TypeError(`train takes true or false, but got ${String(mode)}`);
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Puts this module and those inside it into eval mode. Returns itself. */
  eval(): this {
    return this.train(false);
  }

  /**
   * Freezes (false) or unfreezes (true) all parameters. What a layer never trains, such as moving averages, stays as it is. Returns
   * itself.
   */
  requiresGrad(required = true): this {
    for (const { variable, weight, layer, isParameter } of this.#find().values()) {
      if (weight && layer) {
        if (!isParameter) continue;
        // The layer's own flag is what tfjs looks at as well.
        layer.trainable = required;
        weight.trainable = required;
      } else if (!required && variable.trainable) {
        frozen.add(variable);
        variable.trainable = false;
      } else if (required && frozen.delete(variable)) variable.trainable = true;
      if (!required) zeroGradients([variable]);
    }
    return this;
  }

  /** Excludes all parameters from training. Returns itself. */
  freeze(): this {
    return this.requiresGrad(false);
  }

  /** Takes all parameters that were frozen into training again. Returns itself. */
  unfreeze(): this {
    return this.requiresGrad(true);
  }

  /** References to all variables by name. */
  stateDict(): StateDict {
    return Object.fromEntries(this.#select(() => true));
  }

  /**
   * Copies values into the variables of the same names.
   *
   * @param state from {@linkcode stateDict} or from a checkpoint; stays the caller's
   * @param options `strict` (default true): every variable must be there, and nothing else
   * @throws Error that lists missing and unexpected names, and every name whose shape differs, with both shapes. Nothing is changed then
   */
  loadStateDict(state: StateDict, options: { strict?: boolean } = {}): void {
    const variables = this.#select(() => true);
    const strict = options.strict ?? true;
    const problems: string[] = [];
    const missing = [...variables.keys()].filter((name) => state[name] === undefined);
    const unexpected = Object.keys(state).filter((name) => state[name] !== undefined && !variables.has(name));
    if (strict && missing.length > 0) problems.push(`missing: ${missing.join(", ")}`);
    if (strict && unexpected.length > 0) problems.push(`unexpected: ${unexpected.join(", ")}`);
    const loads: [tf.Variable, tf.Tensor | HostTensor][] = [];
    for (const [name, variable] of variables) {
      const value = state[name];
      if (value === undefined) continue;
      if (!(value instanceof tf.Tensor) && !isHostTensor(value)) problems.push(`${name} is not a tensor`);
      else if (!tf.util.arraysEqual([...value.shape], variable.shape)) {
        problems.push(`${name} has shape [${value.shape}] in the state but [${variable.shape}] in the model`);
      } else loads.push([variable, value]);
    }
    if (problems.length > 0) {
      throw new Error(
        `The state does not fit ${this.constructor.name}:\n  ${problems.join("\n  ")}` +
          (missing.length + unexpected.length > 0 && strict ? "\n(strict: false loads what fits by name)" : ""),
      );
    }
    for (const [variable, value] of loads) {
      tf.tidy(() => {
        const tensor = value instanceof tf.Tensor ? value : fromHost(value);
        variable.assign(tensor.dtype === variable.dtype ? tensor.clone() : tensor.cast(variable.dtype));
      });
    }
  }

  /** Frees all variables and their gradients. The module cannot be used afterwards. */
  dispose(): void {
    for (const { variable } of this.#find().values()) {
      zeroGradients([variable]);
      variable.dispose();
    }
  }

  #select(condition: (found: FoundVariable) => boolean): Map<string, tf.Variable> {
    const selected = new Map<string, tf.Variable>();
    for (const [name, found] of this.#find()) if (condition(found)) selected.set(name, found.variable);
    return selected;
  }

  #find(): Map<string, FoundVariable> {
    const found = new Map<string, FoundVariable>();
    const seen = new Set<unknown>();
    const take = (name: string, entry: FoundVariable) => {
      if (seen.has(entry.variable) || entry.variable.isDisposed) return;
      seen.add(entry.variable);
      const other = found.get(name);
      if (other) {
        throw new Error(
          `Two variables of ${this.constructor.name} are named \`${name}\`: name one of the layers or fields differently`,
        );
      }
      found.set(name, entry);
    };
    const visit = (value: unknown, name: string) => {
      if (value instanceof tf.Variable) {
        take(name, { variable: value, isParameter: value.trainable || frozen.has(value) });
      } else if (value instanceof Module) {
        if (seen.has(value)) return;
        seen.add(value);
        for (const [part, child] of value.children()) visit(child, dotted(name, part));
      } else if (isLayer(value)) {
        for (const [path, entry] of layerVariables(value, name)) take(path, entry);
      } else eachItem(value, seen, (part, item) => visit(item, dotted(name, part)));
    };
    visit(this, "");
    return found;
  }
}

function isTrainable({ variable, layer, isParameter }: FoundVariable): boolean {
  return isParameter && variable.trainable && (layer?.trainable ?? true);
}

/** Calls `visit` for the items of arrays and plain records; other objects are left alone. */
function eachItem(value: unknown, seen: Set<unknown>, visit: (part: string, item: unknown) => void): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  const isArray = Array.isArray(value);
  if (!isArray && Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) return;
  seen.add(value);
  for (const [part, field] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
    if ("value" in field && field.enumerable) visit(part, field.value);
  }
}
