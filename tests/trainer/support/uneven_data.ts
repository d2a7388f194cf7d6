/** The data of tests/fixtures/strategies/make_uneven.py. */
import type { HostTensor } from "../../../runtime/tensor/host_tensor.ts";

/** For each case the samples of each batch of the two ranks. */
export const CASES: Readonly<Record<string, readonly (readonly [from: number, end: number])[][]>> = {
  uneven: [[[0, 4], [4, 8], [8, 12], [12, 15]], [[100, 104], [104, 106]]],
  none: [[[0, 4], [4, 8], [8, 12], [12, 15]], []],
  accumulate: [[[0, 4], [4, 8], [8, 12]], [[100, 104]]],
};

/** A batch in the process's own memory: points [n, 3] and values [n, 1]. */
export type HostPair = [HostTensor, HostTensor];

/** The samples from `from` to before `end`. */
export function hostBatch([from, end]: readonly [number, number]): HostPair {
  const x: number[] = [], y: number[] = [];
  for (let i = from; i < end; i++) {
    const point = [Math.sin(i), Math.cos(2 * i), Math.sin(3 * i + 1)];
    x.push(...point);
    y.push(point[0] - 2 * point[1] + 0.5 * Math.cos(5 * i));
  }
  return [
    { dtype: "float32", shape: [end - from, 3], data: Float32Array.from(x) },
    { dtype: "float32", shape: [end - from, 1], data: Float32Array.from(y) },
  ];
}

/** A source of batches that does not say how many there are. */
export class Stream implements AsyncIterable<HostPair> {
  readonly #ranges: readonly (readonly [number, number])[];
  constructor(ranges: readonly (readonly [number, number])[]) {
    this.#ranges = ranges;
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<HostPair> {
    for (const range of this.#ranges) yield await Promise.resolve(hostBatch(range));
  }
}

/** The same, which does say it. */
export class Counted extends Stream {
  readonly length: number;
  constructor(ranges: readonly (readonly [number, number])[]) {
    super(ranges);
    this.length = ranges.length;
  }
}
