import { tf } from "../tensor/tf.ts";
import { Module } from "./module.ts";

/**
 * A tfjs layers model as a module. Its parameters are named by position (`0.kernel`), or by the layer's name if it was given one.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const model = asModule(tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 2 })] }));
 * console.assert([...model.namedParameters().keys()].join() === "0.kernel,0.bias");
 * model.dispose();
 * ```
 */
export class LayersModule extends Module {
  /** The model underneath. */
  readonly model: tf.LayersModel;

  constructor(model: tf.LayersModel) {
    super();
    this.model = model;
  }

  /** The model's output, computed in this module's mode. */
  override forward(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return this.run(this.model, inputs);
  }

  protected override *children(): Iterable<[string, unknown]> {
    yield ["", this.model];
  }
}

/** A module as it is; a tfjs layers model as a {@linkcode LayersModule}. @throws TypeError for anything else */
export function asModule(model: tf.LayersModel | Module): Module {
  if (model instanceof Module) return model;
  if (model instanceof tf.LayersModel) return new LayersModule(model);
  const what = model === null ? "null" : typeof model === "object" ? (model as object).constructor?.name : typeof model;
  throw new TypeError(
    `A model is a tfjs layers model (tf.sequential(…), tf.model(…)) or an instance of a class that extends Module, but got ${what}`,
  );
}
