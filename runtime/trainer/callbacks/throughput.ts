/** What has been done up to a moment, all counted from the start. */
export interface ThroughputPoint {
  /** Seconds. */
  time: number;
  batches: number;
  samples: number;
  /** Tokens or other parts of samples, if they are counted. */
  items?: number;
}

/**
 * How much is done a second, over the last points.
 *
 * @example
 * ```ts
 * const throughput = new Throughput({ windowSize: 10 });
 * throughput.add({ time: 1, batches: 10, samples: 320 });
 * throughput.add({ time: 3, batches: 20, samples: 640 });
 * console.assert(throughput.rates()!.samples === 160);
 * ```
 */
export class Throughput {
  readonly #size: number;
  readonly #points: ThroughputPoint[] = [];

  /** @param options `windowSize`: how many points are looked back at. Default: 100 */
  constructor({ windowSize = 100 }: { windowSize?: number } = {}) {
    if (!Number.isInteger(windowSize) || windowSize < 2) {
      throw new RangeError(`\`Throughput({ windowSize })\` must be an integer from 2 up, but got ${windowSize}`);
    }
    this.#size = windowSize;
  }

  /** @throws RangeError if it is not later than the point before */
  add(point: ThroughputPoint): void {
    const last = this.#points.at(-1);
    if (last && !(point.time >= last.time)) {
      throw new RangeError(`the time must grow, but ${point.time} came after ${last.time}`);
    }
    this.#points.push(point);
    if (this.#points.length > this.#size) this.#points.shift();
  }

  /** Batches, samples and items a second; undefined before there are two moments. */
  rates(): { batches: number; samples: number; items?: number } | undefined {
    const [first] = this.#points, last = this.#points.at(-1);
    if (!first || !last || last.time <= first.time) return undefined;
    const seconds = last.time - first.time;
    const rates = {
      batches: (last.batches - first.batches) / seconds,
      samples: (last.samples - first.samples) / seconds,
    };
    if (first.items === undefined || last.items === undefined) return rates;
    return { ...rates, items: (last.items - first.items) / seconds };
  }

  reset(): void {
    this.#points.length = 0;
  }
}
