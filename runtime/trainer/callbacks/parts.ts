import { Module } from "../../nn/module.ts";
import { isLayer, layerVariables } from "../../nn/collect.ts";
import { tf } from "../../tensor/tf.ts";

/** A part of a model: a module or a tfjs layer. */
export interface Part {
  /** Where it lies, e.g. `encoder.0`. */
  readonly name: string;
  /** The class. */
  readonly type: string;
  readonly object: Module | tf.layers.Layer;
  /** The mode that its forward pass has. */
  readonly training: boolean;
  /** Its parameters, those inside it included. */
  readonly parameters: ReadonlySet<tf.Variable>;
  /** Those of them that are trained. */
  readonly trainable: ReadonlySet<tf.Variable>;
}

const children = new WeakMap<Part, readonly Part[]>();

/** The parts that a part is made of. */
export function childParts(part: Part): readonly Part[] {
  return children.get(part) ?? [];
}

/** A model as a tree of parts. */
export function partsOf(model: Module): Part {
  return modulePart(model, "");
}

function modulePart(module: Module, name: string): Part {
  const found: Part[] = [];
  for (const [childName, value] of fieldsOf(module, name)) {
    const part = value instanceof Module ? modulePart(value, childName) : layerPart(value, childName, module.training);
    // The tfjs model inside a LayersModule is no level of its own.
    if (childName === name) found.push(...childParts(part));
    else found.push(part);
  }
  const moving = movingAverages(module);
  const variables = [...module.namedParameters().values(), ...module.namedBuffers().values()];
  const part: Part = {
    name,
    type: module.constructor.name,
    object: module,
    training: module.training,
    parameters: new Set(variables.filter((variable) => !moving.has(variable))),
    trainable: new Set(module.parameters()),
  };
  children.set(part, found);
  return part;
}

/** What layers keep beside their parameters. */
function movingAverages(module: Module): Set<tf.Variable> {
  const found = new Set<tf.Variable>();
  for (const part of module.modules()) {
    for (const [, value] of fieldsOf(part, "")) {
      if (value instanceof Module) continue;
      for (const [, { variable, isParameter }] of layerVariables(value, "")) if (!isParameter) found.add(variable);
    }
  }
  return found;
}

function layerPart(layer: tf.layers.Layer, name: string, training: boolean): Part {
  const entries = [...layerVariables(layer, "")].map(([, found]) => found).filter(({ isParameter }) => isParameter);
  const part: Part = {
    name,
    type: layer.getClassName(),
    object: layer,
    training,
    parameters: new Set(entries.map(({ variable }) => variable)),
    trainable: new Set(
      entries.filter(({ variable, layer: owner }) => variable.trainable && (owner?.trainable ?? true)).map((entry) =>
        entry.variable
      ),
    ),
  };
  const inner = ((layer as unknown as { layers?: tf.layers.Layer[] }).layers ?? []).filter((child) =>
    child.getClassName() !== "InputLayer"
  );
  children.set(part, inner.map((child, index) => layerPart(child, dotted(name, String(index)), training)));
  return part;
}

/** Modules and layers in the fields of a module, also in arrays and records. */
function* fieldsOf(module: Module, name: string): Generator<[string, Module | tf.layers.Layer]> {
  const fields = (module as unknown as { children(): Iterable<[string, unknown]> }).children();
  for (const [part, value] of fields) yield* itemsOf(value, dotted(name, part), new Set([module]));
}

function* itemsOf(value: unknown, name: string, seen: Set<unknown>): Generator<[string, Module | tf.layers.Layer]> {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Module || isLayer(value)) yield [name, value];
  else if (
    !(value instanceof tf.Tensor) && (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)
  ) {
    for (const [part, item] of Object.entries(value)) yield* itemsOf(item, dotted(name, part), seen);
  }
}

function dotted(prefix: string, name: string): string {
  return prefix && name ? `${prefix}.${name}` : prefix || name;
}
