import type { Dataset, IterableDataset } from "./dataset.ts";
import { describe } from "./host_values.ts";

/** An export of a module, by name, so that another thread can import it too. */
export interface ModuleReference {
  /** The module's URL: `new URL("./my_dataset.ts", import.meta.url)`. */
  module: string | URL;
  /** The export's name; `"default"` for the default one. */
  export: string;
  /** For a dataset: what the class is constructed or the function called with. Must be cloneable by `structuredClone`. Default: nothing. */
  args?: unknown[];
}

const references = new WeakMap<object, ModuleReference>();

/**
 * The dataset that a module exports: a class (constructed), a function (called, may be async) or the dataset itself. Workers import the same
 * module, which is why `numWorkers` needs a dataset made this way.
 *
 * @throws {TypeError} if the module has no such export, or it makes no dataset
 *
 * @example
 * ```ts ignore
 * const dataset = await datasetFromModule<Birds>({
 *   module: new URL("./birds.ts", import.meta.url),
 *   export: "Birds",
 *   args: ["/data/birds"],
 * });
 * const loader = new DataLoader(dataset, { batchSize: 32, numWorkers: 4 });
 * ```
 */
export async function datasetFromModule<D extends Dataset<unknown> | IterableDataset<unknown> = Dataset<unknown>>(
  reference: ModuleReference,
): Promise<D> {
  const dataset = await importReference(reference);
  if (typeof dataset !== "object" || dataset === null) {
    throw new TypeError(`\`${reference.export}\` of ${reference.module} makes no dataset, but ${describe(dataset)}`);
  }
  references.set(dataset, cloneable(reference));
  return dataset as D;
}

/** The reference that a dataset was made from, if any. */
export function referenceOf(dataset: Dataset<unknown> | IterableDataset<unknown>): ModuleReference | undefined {
  return references.get(dataset);
}

/** A reference as it can be sent to a worker. */
export function cloneable(reference: ModuleReference): ModuleReference {
  return { ...reference, module: String(reference.module) };
}

/**
 * Imports what a reference names.
 * @param options.call False: the export itself, a function too. Default: true.
 */
export async function importReference(reference: ModuleReference, options: { call?: boolean } = {}): Promise<unknown> {
  const { args = [] } = reference;
  const url = String(reference.module);
  if (!URL.canParse(url)) {
    throw new TypeError(`\`module\` must be a URL, but got "${url}"; write new URL("${url}", import.meta.url)`);
  }
  const module = await import(url) as Record<string, unknown>;
  if (!(reference.export in module)) {
    throw new TypeError(`${url} has no export \`${reference.export}\`; it has: ${Object.keys(module).join(", ")}`);
  }
  const value = module[reference.export];
  if (typeof value !== "function" || options.call === false) return value;
  if (/^class\b/.test(Function.prototype.toString.call(value))) {
    return new (value as new (...args: unknown[]) => unknown)(...args);
  }
  return await value(...args);
}
