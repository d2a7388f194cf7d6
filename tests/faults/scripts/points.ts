import type { Dataset } from "../../../runtime/data/dataset.ts";
import type { HostTensor } from "../../../runtime/tensor/host_tensor.ts";

/** Points to learn from, for workers of a loader too. With `harmAt`, the sample of that index cannot be read, and `note` is called then. */
export function points(options: { harmAt?: number; note?: string } = {}): Dataset<[HostTensor, HostTensor]> {
  const tensor = (...values: number[]): HostTensor => ({
    ...{ dtype: "float32", shape: [values.length], data: Float32Array.from(values) },
  });
  return {
    length: 80,
    get(index) {
      if (index === options.harmAt) {
        Deno.writeTextFileSync(options.note!, String(performance.timeOrigin + performance.now()));
        throw new RangeError("harm was done");
      }
      const x = Math.sin(index), y = Math.cos(3 * index);
      return [tensor(x, y), tensor(x * y)];
    },
  };
}
