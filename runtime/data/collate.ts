import type { HostArray, HostTensor } from "../tensor/host_tensor.ts";
import { isHostTensor } from "../tensor/host_tensor.ts";
import type { HostBatch } from "./dataset.ts";
import { asHostTensor, describe, newArrayLike, sizeOf } from "./host_values.ts";

/**
 * Stacks samples into a batch, as loaders do by default. Tensors and typed arrays get a first dimension of the batch's size; numbers
 * become a float32 tensor, bigints int32, booleans bool; strings an array of strings; arrays and records are stacked entry by entry.
 *
 * @throws {RangeError} if samples differ in shape, dtype or length
 * @throws {TypeError} if samples differ in kind, or hold what cannot be stacked
 *
 * @example
 * ```ts
 * import type { HostTensor } from "weft";
 * const [x, y] = collate([[Float32Array.of(1, 2), 0], [Float32Array.of(3, 4), 1]]) as HostTensor[];
 * console.assert(x.shape.join() === "2,2" && y.shape.join() === "2");
 * ```
 */
export function collate(samples: readonly unknown[]): HostBatch {
  if (samples.length === 0) throw new RangeError("collate needs at least one sample");
  return stack(samples, "the sample");
}

function stack(values: readonly unknown[], what: string): HostBatch {
  const first = values[0];
  if (isHostTensor(first) || ArrayBuffer.isView(first)) return stackTensors(values, what);
  const kind = Array.isArray(first) ? "array" : first === null ? "null" : typeof first;
  for (const [i, value] of values.entries()) {
    if ((Array.isArray(value) ? "array" : value === null ? "null" : typeof value) !== kind || isHostTensor(value)) {
      throw new TypeError(
        `${what} is ${describe(first)} in the batch's first sample and ${
          describe(value)
        } in sample ${i}; they must be alike`,
      );
    }
  }
  const shape = [values.length];
  switch (kind) {
    case "number":
      return { dtype: "float32", shape, data: Float32Array.from(values as number[]) };
    case "boolean":
      return { dtype: "bool", shape, data: Uint8Array.from(values as boolean[], Number) };
    case "bigint":
      return { dtype: "int32", shape, data: Int32Array.from(values as bigint[], (value) => int32(value, what)) };
    case "string":
      return [...values] as string[];
    case "array": {
      const { length } = first as unknown[];
      const odd = values.findIndex((value) => (value as unknown[]).length !== length);
      if (odd >= 0) {
        throw new RangeError(
          `${what} has ${length} entries in the batch's first sample and ${
            (values[odd] as unknown[]).length
          } in sample ${odd}`,
        );
      }
      return Array.from(
        { length },
        (_, k) => stack(values.map((value) => (value as unknown[])[k]), `${what}'s entry ${k}`),
      );
    }
    case "object": {
      const proto = Object.getPrototypeOf(first);
      if (proto !== Object.prototype && proto !== null) break;
      return Object.fromEntries(
        Object.keys(first as object).map((key) => {
          const column = values.map((value, i) => {
            if (!Object.hasOwn(value as object, key)) throw new TypeError(`${what} has no \`${key}\` in sample ${i}`);
            return (value as Record<string, unknown>)[key];
          });
          return [key, stack(column, `${what}'s \`${key}\``)];
        }),
      );
    }
  }
  throw new TypeError(
    `${what} is ${describe(first)}, which cannot be stacked into a tensor; give the loader a \`collate\` function`,
  );
}

function stackTensors(values: readonly unknown[], what: string): HostTensor {
  const first = asHostTensor(values[0] as HostTensor, what);
  const size = sizeOf(first.shape);
  const data = newArrayLike<HostArray>(first.data, values.length * size);
  for (const [i, value] of values.entries()) {
    const tensor = asHostTensor(value as HostTensor, `${what} of the batch's sample ${i}`);
    if (
      tensor.dtype !== first.dtype || tensor.shape.length !== first.shape.length ||
      tensor.shape.some((n, d) => n !== first.shape[d])
    ) {
      throw new RangeError(
        `samples of one batch must have one shape and dtype, but ${what} is ${first.dtype} [${first.shape}] in the first and ` +
          `${tensor.dtype} [${tensor.shape}] in sample ${i}; give the loader a \`collate\` function that pads them`,
      );
    }
    // deno-lint-ignore no-explicit-any -- one class, as the dtypes are equal
    data.set(tensor.data as any, i * size);
  }
  return { dtype: first.dtype, shape: [values.length, ...first.shape], data };
}

function int32(value: bigint, what: string): number {
  if (BigInt.asIntN(32, value) !== value) throw new RangeError(`${what} is ${value}n, which does not fit in int32`);
  return Number(value);
}
