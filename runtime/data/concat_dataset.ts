import { type BatchRequest, checkIndex, type Dataset, type HostBatch, type SampleContext } from "./dataset.ts";

/** Datasets one after the other. */
export class ConcatDataset<T> implements Dataset<T> {
  readonly datasets: readonly Dataset<T>[];
  readonly length: number;
  /** The index at which each dataset begins. */
  readonly #starts: number[] = [];

  /** @throws {TypeError} if there is none, or one has no `length` and `get` */
  constructor(datasets: readonly Dataset<T>[]) {
    if (datasets.length === 0) throw new TypeError("ConcatDataset needs at least one dataset");
    let length = 0;
    for (const [i, dataset] of datasets.entries()) {
      if (typeof dataset.get !== "function" || typeof dataset.length !== "number") {
        throw new TypeError(
          `ConcatDataset: entry ${i} has no \`length\` and \`get\`; iterable datasets have no places`,
        );
      }
      this.#starts.push(length);
      length += dataset.length;
    }
    this.datasets = [...datasets];
    this.length = length;
  }

  get(index: number, context?: SampleContext): T | Promise<T> {
    checkIndex("ConcatDataset", index, this.length);
    const which = this.#holder(index);
    return this.datasets[which].get(index - this.#starts[which], context);
  }

  /** Batches that lie in one of the datasets are gathered by it. */
  getBatch(indices: Uint32Array, request: BatchRequest): HostBatch | undefined {
    for (const index of indices) checkIndex("ConcatDataset", index, this.length);
    const which = this.#holder(indices[0]);
    const start = this.#starts[which], end = start + this.datasets[which].length;
    if (!indices.every((index) => index >= start && index < end)) return undefined;
    return this.datasets[which].getBatch?.(indices.map((index) => index - start), request);
  }

  #holder(index: number): number {
    // The last one that begins at or before the index: empty datasets begin where the next does.
    let low = 0, high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle] <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
