import type { ProcessGroup, SharedArray } from "../runtime/comm/process_group.ts";
import type { HalfFormat } from "../runtime/precision/half_floats.ts";
import { compressedMean } from "./compressed_mean.ts";

/** What ranks exchange here: the same from `backward`, `backwardWithoutBatch` and a recorded step. */
const purpose = "the gradients";

/** What {@linkcode MeanExchange.average} is told of the values. */
export interface AverageOptions {
  /** How many of the last values are small counters that travel exactly. Default: 0. */
  exact?: number;
  /** Resolves when the values are there. Default: they are. */
  ready?: Promise<unknown>;
}

/** What is smaller is not worth asking for: no group shares it. */
const LEAST_SHARED_BYTES = 64 * 1024;

/** Averages arrays over the ranks, one after the other in the order in which it was asked, which must be the same on every rank. */
export class MeanExchange {
  readonly #group: ProcessGroup;
  readonly #compression: HalfFormat | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(group: ProcessGroup, compression: HalfFormat | undefined) {
    this.#group = group;
    this.#compression = compression;
  }

  /**
   * Memory out of which values are averaged without being copied, to be disposed of. Every rank asks for it together.
   * @returns undefined if there is none that is better than an ordinary array's
   */
  async memoryFor(length: number): Promise<SharedArray<Float32Array<ArrayBuffer>> | undefined> {
    if (this.#compression || length * Float32Array.BYTES_PER_ELEMENT < LEAST_SHARED_BYTES) return undefined;
    const array = await this.#group.sharedArray(Float32Array<ArrayBuffer>, length, { purpose });
    return array.isShared ? array : undefined;
  }

  /** Replaces `data` by its mean over the ranks; the same bytes on all of them. */
  async average(data: Float32Array<ArrayBuffer>, options: AverageOptions = {}): Promise<void> {
    const { exact = 0, ready } = options;
    // What takes one call needs no turn of its own: the group carries calls out in turn, and beginning at once overlaps with backward.
    if (!this.#compression && !ready) return void await this.#group.allReduce(data, { op: "mean", purpose });
    const before = this.#waiting > 0 ? this.#last : undefined;
    this.#waiting++;
    const work = this.#inTurn(
      before,
      ready,
      () =>
        this.#compression
          ? compressedMean(this.#group, data, { format: this.#compression, exact, purpose })
          : this.#group.allReduce(data, { op: "mean", purpose }),
    );
    this.#last = work.catch(() => {}).finally(() => this.#waiting--);
    await work;
  }

  async #inTurn(
    before: Promise<unknown> | undefined,
    ready: Promise<unknown> | undefined,
    run: () => Promise<unknown>,
  ): Promise<void> {
    if (before) await before;
    if (ready) await ready;
    await run();
  }
}
