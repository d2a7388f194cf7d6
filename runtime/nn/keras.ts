import { fileHandler, modelFile } from "./keras_files.ts";
import { LayersModule } from "./layers_module.ts";
import { tf } from "../tensor/tf.ts";

/**
 * Saves a layers model as tfjs's `model.save` does: `model.json` with the layers in Keras's words, and `weights.bin`. `tf.loadLayersModel`
 * reads it in a browser, and `tensorflowjs_converter` turns it into a Keras model.
 *
 * A module of one's own has no such form; save the layers models that are its fields.
 *
 * @param model stays the caller's
 * @param folder is made if it is not there. Files of an earlier model are replaced
 * @throws TypeError if it is no layers model; Error if it cannot be written
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 2 })] });
 * const folder = await Deno.makeTempDir();
 * await exportLayersModel(net, folder);
 * const same = await importLayersModel(folder);
 * console.assert(same.countParams() === 10);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function exportLayersModel(model: tf.LayersModel | LayersModule, folder: string | URL): Promise<void> {
  await layersModel("exportLayersModel", model).save(fileHandler(folder));
}

/**
 * Reads a layers model that {@linkcode exportLayersModel}, tfjs's `model.save` or `tensorflowjs_converter` wrote.
 *
 * @param folder or the path of its `model.json`
 * @returns a model that belongs to the caller; give it to `fabric.setup`, or make it a field of a module
 * @throws Error if there is none, it is of another form, or weights are missing or cut short
 */
export async function importLayersModel(folder: string | URL): Promise<tf.LayersModel> {
  return await tf.loadLayersModel(fileHandler(folder));
}

/**
 * Copies the weights of a saved layers model into one that is there, e.g. a field of a module. They are matched by position, as names differ
 * from program to program.
 *
 * @param folder or the path of its `model.json`
 * @throws TypeError if it is no layers model; Error that lists the weights whose shapes differ, or their numbers. Nothing is changed then
 */
export async function loadLayersWeights(model: tf.LayersModel | LayersModule, folder: string | URL): Promise<void> {
  const target = layersModel("loadLayersWeights", model);
  const saved = await importLayersModel(folder);
  try {
    const given = saved.weights, wanted = target.weights;
    const shape = (weight?: { shape: readonly (number | null)[] }) => weight ? `[${weight.shape}]` : "nothing";
    const problems: string[] = [];
    for (let index = 0; index < Math.max(given.length, wanted.length); index++) {
      if (shape(given[index]) === shape(wanted[index])) continue;
      const name = wanted[index]?.originalName ?? given[index].originalName;
      problems.push(`${name}: ${shape(given[index])} in the file but ${shape(wanted[index])} in the model`);
    }
    if (problems.length > 0) {
      throw new Error(`The weights of ${modelFile(folder)} do not fit the model:\n  ${problems.join("\n  ")}`);
    }
    target.setWeights(saved.getWeights());
  } finally {
    saved.dispose();
  }
}

function layersModel(owner: string, model: tf.LayersModel | LayersModule): tf.LayersModel {
  const inner = model instanceof LayersModule ? model.model : model;
  if (inner instanceof tf.LayersModel) return inner;
  const what = (inner as object | null)?.constructor?.name ?? String(inner);
  throw new TypeError(
    `\`${owner}\` takes a tfjs layers model (tf.sequential(…), tf.model(…)), but got ${what}: give the field of your module that is one`,
  );
}
