import { tf } from "../tensor/tf.ts";

/** A variable that was found in a model. */
export interface FoundVariable {
  readonly variable: tf.Variable;
  /** The weight it belongs to, if a layer made it. */
  readonly weight?: LayerWeight;
  /** The layer that made it. */
  readonly layer?: tf.layers.Layer;
  /** False for what a layer keeps beside its parameters, such as the moving averages of batch normalisation. */
  readonly isParameter: boolean;
}

/** A weight of a tfjs layer, as far as its variable is concerned. */
export interface LayerWeight {
  readonly originalName: string;
  trainable: boolean;
  read(): tf.Tensor;
}

interface LayerInternals {
  readonly _trainableWeights: LayerWeight[];
  readonly _nonTrainableWeights: LayerWeight[];
  readonly forwardLayer?: tf.layers.Layer;
  readonly backwardLayer?: tf.layers.Layer;
  readonly layer?: tf.layers.Layer;
  readonly cell?: tf.layers.Layer;
  readonly cells?: tf.layers.Layer[];
  readonly layers?: tf.layers.Layer[];
}

/** Joins the parts of a dotted name. */
export function dotted(prefix: string, name: string): string {
  return prefix && name ? `${prefix}.${name}` : prefix || name;
}

/** True for tfjs layers and models. */
export function isLayer(value: unknown): value is tf.layers.Layer {
  return value instanceof tf.layers.Layer;
}

/**
 * The variables of a tfjs layer or model, by names that do not depend on how many layers were made before: a layer that was given a
 * name goes by it, others by their position among the layers of their model that are not inputs.
 * @throws Error if the layer has no weights yet because it has not seen an input
 */
export function* layerVariables(layer: tf.layers.Layer, prefix: string): Generator<[string, FoundVariable]> {
  const internals = layer as unknown as LayerInternals;
  const children = childLayers(internals);
  if (children) {
    for (const [name, child] of children) yield* layerVariables(child, dotted(prefix, name));
  }
  if (!children && hasWeightsOfItsOwn(layer)) requireBuilt(layer, prefix);
  const used = new Map<string, number>();
  // In the order in which the layer made them, which is the same in every process.
  for (
    const [weights, isParameter] of [[internals._trainableWeights, true], [
      internals._nonTrainableWeights,
      false,
    ]] as const
  ) {
    for (const weight of weights ?? []) {
      const name = weight.originalName.slice(weight.originalName.lastIndexOf("/") + 1);
      const count = used.get(name) ?? 0;
      used.set(name, count + 1);
      const variable = weight.read() as tf.Variable;
      yield [dotted(prefix, count ? `${name}_${count}` : name), { variable, weight, layer, isParameter }];
    }
  }
}

/** The layers inside a layer, if it is a container or a wrapper. */
function childLayers(internals: LayerInternals): [string, tf.layers.Layer][] | undefined {
  if (Array.isArray(internals.layers)) {
    const inner = internals.layers.filter((child) => child.getClassName() !== "InputLayer");
    return inner.map((child, index) => [ownName(child) ?? String(index), child]);
  }
  if (internals.forwardLayer && internals.backwardLayer) {
    return [["forward", internals.forwardLayer], ["backward", internals.backwardLayer]];
  }
  if (isLayer(internals.layer)) return [["layer", internals.layer]];
  if (isLayer(internals.cell)) return [["cell", internals.cell]];
  if (Array.isArray(internals.cells)) return internals.cells.map((cell, index) => [String(index), cell]);
  return undefined;
}

/** The name that the user gave to a layer; undefined if tfjs made one up, with a counter that goes on over all models. */
function ownName(layer: tf.layers.Layer): string | undefined {
  const kind = layer.getClassName();
  const madeUp = layer instanceof tf.LayersModel
    ? new RegExp(`^${kind.toLowerCase()}_?\\d+$`)
    : new RegExp(`_${kind}\\d+$`);
  return madeUp.test(layer.name) ? undefined : layer.name;
}

function hasWeightsOfItsOwn(layer: tf.layers.Layer): boolean {
  return layer.build !== tf.layers.Layer.prototype.build;
}

function requireBuilt(layer: tf.layers.Layer, prefix: string): void {
  if (layer.built) return;
  throw new Error(
    `${
      prefix ? `\`${prefix}\`` : "The model"
    } (${layer.getClassName()}) has no weights yet, because it does not know the shape of its ` +
      "input: give the first layer of its tf.sequential an `inputShape`, e.g. tf.layers.dense({ inputShape: [784], units: 100 }), or call " +
      "`layer.build([null, …])` with that shape if it stands alone",
  );
}
