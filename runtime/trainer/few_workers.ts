import type { DataLoader } from "../data/data_loader.ts";
import type { Dataset } from "../data/dataset.ts";

/** What {@linkcode fewWorkersHint} needs to know of the machine. */
export interface CoresToShare {
  /** Cores of this host. */
  cores: number;
  /** Ranks that share them. */
  localWorldSize: number;
}

/**
 * The hint for a loader that computes its samples one by one in the training thread though there are cores to spare; undefined if it
 * does not. What lies in memory is gathered in less time than handing it over takes.
 */
export function fewWorkersHint(loader: DataLoader, method: string, machine: CoresToShare): string | undefined {
  const spare = Math.floor(machine.cores / machine.localWorldSize) - 1;
  const { dataset, options } = loader;
  if (options.numWorkers >= 2 || spare <= 1 || !computesSamples(dataset, options.transform !== undefined)) {
    return undefined;
  }
  const how = options.numWorkers === 1
    ? ""
    : " Workers make the dataset themselves: give `await datasetFromModule({ module, export, args })`.";
  return `The \`${method}\` does not have many workers which may be a bottleneck. Consider increasing the value of the \`numWorkers\` ` +
    `argument to \`numWorkers: ${spare}\` in the \`DataLoader\` to improve performance.${how}`;
}

/** False for what gives whole batches and for arrays without a transform, whose samples are there already. */
function computesSamples(dataset: DataLoader["dataset"], hasTransform: boolean): boolean {
  const { get, getBatch } = dataset as Partial<Dataset<unknown>>;
  if (typeof getBatch === "function") return false;
  // What a loader makes of an array has no class of its own.
  return hasTransform || typeof get !== "function" || Object.getPrototypeOf(dataset) !== Object.prototype;
}
