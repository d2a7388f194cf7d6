import { basename, dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { tf } from "../tensor/tf.ts";

const WEIGHTS = "weights.bin";
let written = 0;

/** The folder and the name of the model file that a path means: itself if it ends in .json, else `model.json` in it. */
export function modelFile(path: string | URL): string {
  const plain = path instanceof URL ? fileURLToPath(path) : path;
  if (typeof plain !== "string" || plain === "") {
    throw new TypeError(`a saved model lies in a folder: give its path, but got ${JSON.stringify(path)}`);
  }
  return plain.endsWith(".json") ? plain : join(plain, "model.json");
}

/**
 * Reads and writes what tfjs's `model.save` and `tf.loadLayersModel` exchange, as `model.json` with its weights beside it. tfjs has a
 * handler for the file system in its package for Node alone.
 */
export function fileHandler(path: string | URL): tf.io.IOHandler {
  const file = modelFile(path);
  return { save: (artifacts) => save(file, artifacts), load: () => load(file) };
}

async function save(file: string, artifacts: tf.io.ModelArtifacts): Promise<tf.io.SaveResult> {
  const { weightData, weightSpecs = [], ...facts } = artifacts;
  const weights = tf.io.CompositeArrayBuffer.join(weightData);
  const json = { ...facts, weightsManifest: [{ paths: [WEIGHTS], weights: weightSpecs }] };
  const folder = dirname(file), mark = `${Deno.pid}-${++written}.tmp`;
  const temporary = [WEIGHTS, basename(file)].map((name) => join(folder, `.${name}.${mark}`));
  try {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeFile(temporary[0], new Uint8Array(weights), { createNew: true });
    await Deno.writeTextFile(temporary[1], JSON.stringify(json), { createNew: true });
    // Both are whole before either replaces an older one.
    await Deno.rename(temporary[0], join(folder, WEIGHTS));
    await Deno.rename(temporary[1], file);
  } catch (cause) {
    for (const path of temporary) await Deno.remove(path).catch(() => {});
    throw new Error(
      `Could not save the layers model to ${file}: ${
        (cause as Error).message
      }. Free space there, or save to another folder.`,
      { cause },
    );
  }
  return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
}

async function load(file: string): Promise<tf.io.ModelArtifacts> {
  let json: tf.io.ModelJSON;
  try {
    json = JSON.parse(await Deno.readTextFile(file));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new Error(`${file} does not exist: give the folder that \`exportLayersModel\` or \`model.save\` wrote`, {
        cause,
      });
    }
    throw new Error(`Could not read the layers model ${file}: ${(cause as Error).message}`, { cause });
  }
  const isModel = typeof json === "object" && json !== null && json.modelTopology &&
    Array.isArray(json.weightsManifest);
  if (!isModel) {
    throw new Error(`${file} is no saved layers model: it must have \`modelTopology\` and \`weightsManifest\``);
  }
  if (json.format === "graph-model") {
    throw new Error(
      `${file} is a graph model, which cannot be trained: \`tf.loadGraphModel\` runs it. Convert the Keras model with ` +
        "`--output_format=tfjs_layers_model`.",
    );
  }
  return await tf.io.getModelArtifactsForJSON(json, (manifest) => readWeights(file, manifest));
}

async function readWeights(
  file: string,
  manifest: tf.io.WeightsManifestConfig,
): Promise<[tf.io.WeightsManifestEntry[], ArrayBuffer]> {
  const specs = manifest.flatMap(({ weights }) => weights);
  const parts: Uint8Array[] = [];
  for (const path of manifest.flatMap(({ paths }) => paths)) {
    const plain = normalize(path);
    if (plain.startsWith("..") || plain.startsWith("/") || /^[a-z]:/i.test(plain)) {
      throw new Error(`${file} names the weights ${JSON.stringify(path)}, which do not lie beside it`);
    }
    try {
      parts.push(await Deno.readFile(join(dirname(file), plain)));
    } catch (cause) {
      throw new Error(`Could not read ${path}, the weights of ${file}: ${(cause as Error).message}`, { cause });
    }
  }
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  const needed = sizeOf(specs);
  if (needed !== undefined && needed !== bytes.length) {
    throw new Error(
      `the weights of ${file} should have ${needed} bytes, but have ${bytes.length}: a file is cut short or of another model`,
    );
  }
  return [specs, bytes.buffer];
}

/** Bytes that weights take; undefined if some have no fixed size. */
function sizeOf(specs: readonly tf.io.WeightsManifestEntry[]): number | undefined {
  let bytes = 0;
  for (const { dtype, shape, quantization } of specs) {
    const item = BYTES[quantization?.dtype ?? dtype];
    if (item === undefined) return undefined;
    bytes += item * tf.util.sizeFromShape(shape);
  }
  return bytes;
}

const BYTES: Readonly<Record<string, number>> = {
  ...{ float32: 4, int32: 4, bool: 1, complex64: 8, uint8: 1, uint16: 2, float16: 2 },
};
