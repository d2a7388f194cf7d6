import { type BatchRequest, checkIndex, type Dataset, type HostBatch, type SampleContext } from "./dataset.ts";

/** Some samples of a dataset, by their indices. */
export class Subset<T> implements Dataset<T> {
  readonly dataset: Dataset<T>;
  readonly indices: Uint32Array;

  /** @throws {RangeError} if an index is not one of the dataset's */
  constructor(dataset: Dataset<T>, indices: ArrayLike<number>) {
    for (let i = 0; i < indices.length; i++) checkIndex("Subset: the dataset", indices[i], dataset.length);
    this.dataset = dataset;
    this.indices = Uint32Array.from(indices);
  }

  get length(): number {
    return this.indices.length;
  }

  get(index: number, context?: SampleContext): T | Promise<T> {
    checkIndex("Subset", index, this.length);
    return this.dataset.get(this.indices[index], context);
  }

  getBatch(indices: Uint32Array, request: BatchRequest): HostBatch | undefined {
    for (const index of indices) checkIndex("Subset", index, this.length);
    return this.dataset.getBatch?.(indices.map((index) => this.indices[index]), request);
  }
}
