import type { IterableDataset } from "../dataset.ts";
import { type ReadOptions, sampleOfError, transformSample } from "./read_batch.ts";

/** Options of {@linkcode StreamReader}. */
export interface StreamReaderOptions extends ReadOptions {
  batchSize: number;
  dropLast: boolean;
}

/** Reads an iterable dataset from its start, giving the batches that it is asked for and passing over those between. */
export class StreamReader {
  readonly #options: StreamReaderOptions;
  readonly #iterator: AsyncIterator<unknown> | Iterator<unknown>;
  #position = 0;

  constructor(dataset: IterableDataset<unknown>, options: StreamReaderOptions) {
    this.#options = options;
    this.#iterator = dataset[Symbol.asyncIterator]?.() ?? dataset[Symbol.iterator]!();
  }

  /** The samples of batch `k`, which lies after the one read before; undefined after the last. */
  async read(k: number): Promise<unknown[] | undefined> {
    const { batchSize, dropLast } = this.#options;
    while (this.#position < k * batchSize) {
      if ((await this.#iterator.next()).done) return undefined;
      this.#position++;
    }
    const samples: unknown[] = [];
    while (samples.length < batchSize) {
      const index = this.#position;
      try {
        const { done, value } = await this.#iterator.next();
        if (done) break;
        this.#position++;
        samples.push(await transformSample(value, index, this.#options));
      } catch (error) {
        if (typeof error === "object" && error !== null) sampleOfError.set(error, index);
        throw error;
      }
    }
    return samples.length === 0 || (dropLast && samples.length < batchSize) ? undefined : samples;
  }

  /** Lets the dataset end its reading. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}
