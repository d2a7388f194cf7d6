import type { HostArray, HostTensor } from "../tensor/host_tensor.ts";
import { type BatchRequest, checkIndex, type Dataset, type SampleContext } from "./dataset.ts";
import { asHostTensor, newArrayLike, sizeOf } from "./host_values.ts";
import { lookupPairs } from "./lookup_pairs.ts";
import { Random } from "../seed/random.ts";
import { Compose } from "./transforms/compose.ts";
import { type LookupPlan, Transform } from "./transforms/transform.ts";

/** For each column of a TensorDataset (or its typed array), a tensor. */
type Columns<C extends readonly (HostTensor | HostArray)[]> = { -readonly [K in keyof C]: HostTensor };

/**
 * Tensors in memory, of which sample `i` is row `i` of each. Batches are copied row by row from the typed arrays into one buffer; the
 * tensors given are referred to, not copied.
 *
 * @example
 * ```ts
 * const dataset = new TensorDataset(
 *   { dtype: "float32", shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
 *   Int32Array.of(0, 1, 0),
 * );
 * const [x, y] = dataset.get(1);
 * console.assert(x.data[0] === 3 && y.data[0] === 1);
 * ```
 */
export class TensorDataset<C extends readonly (HostTensor | HostArray)[] = (HostTensor | HostArray)[]>
  implements Dataset<Columns<C>> {
  readonly length: number;
  readonly #columns: HostTensor[];
  #transforms: (Transform | undefined)[] = [];
  readonly #preparations: Preparation[] = [];

  /** @throws {RangeError} if the tensors differ in their first dimension, or a shape does not fit its array */
  constructor(...columns: C) {
    if (columns.length === 0) throw new TypeError("TensorDataset needs at least one tensor");
    this.#columns = columns.map((column, i) => asHostTensor(column, `TensorDataset: tensor ${i}`));
    for (const [i, { shape }] of this.#columns.entries()) {
      if (shape.length === 0) throw new RangeError(`TensorDataset: tensor ${i} is a scalar; its rows are the samples`);
      if (shape[0] !== this.#columns[0].shape[0]) {
        throw new RangeError(
          `TensorDataset: tensor 0 has ${this.#columns[0].shape[0]} rows and tensor ${i} has ${
            shape[0]
          }; they must be as many`,
        );
      }
    }
    this.length = this.#columns[0].shape[0];
  }

  /** The tensors as they are stored, before any transform. */
  get tensors(): readonly HostTensor[] {
    return this.#columns;
  }

  /** A dataset over the same memory whose column is also transformed, after what it is transformed by already. Default column: 0. */
  withTransform(transform: Transform, column = 0): TensorDataset<C> {
    if (!(transform instanceof Transform)) {
      throw new TypeError(
        `withTransform needs a Transform, but got ${typeof transform}; wrap a function as \`new Lambda(f)\``,
      );
    }
    checkIndex("withTransform: the dataset's columns", column, this.#columns.length);
    const copy = new TensorDataset<C>(...this.#columns as unknown as C);
    copy.#transforms = [...this.#transforms];
    const before = this.#transforms[column];
    copy.#transforms[column] = before ? new Compose([before, transform]) : transform;
    return copy;
  }

  get(index: number, context?: SampleContext): Columns<C> {
    checkIndex("TensorDataset", index, this.length);
    return this.#columns.map((column, i) => {
      const row = rowOf(column, index);
      const transform = this.#transforms[i];
      return transform ? transform.apply(row, (context ?? BY_HAND).random(index)) : row;
    }) as Columns<C>;
  }

  /** Rows of all columns, gathered and transformed in one pass where the transform is a lookup. */
  getBatch(indices: Uint32Array, request: BatchRequest): HostTensor[] | undefined {
    // A subclass with a get() of its own means its samples, not ours.
    if (this.get !== TensorDataset.prototype.get) return undefined;
    for (const index of indices) checkIndex("TensorDataset", index, this.length);
    return this.#columns.map((column, i) => {
      const extra = i === 0 ? request.transform : undefined;
      const { transform, plan } = this.#prepared(i, extra);
      if (!transform) return gather(column, indices);
      return plan ? gatherByTable(column, indices, plan) : gatherEach(column, indices, transform, request.context);
    });
  }

  /** Found out once for all batches that ask for the same. */
  #prepared(index: number, extra: Transform | undefined): Preparation {
    const known = this.#preparations[index];
    if (known && known.extra === extra) return known;
    const own = this.#transforms[index], { dtype, shape } = this.#columns[index];
    const transform = own && extra ? new Compose([own, extra]) : own ?? extra;
    const plan = dtype === "uint8" ? transform?.fuse({ shape: shape.slice(1) }) : undefined;
    return this.#preparations[index] = { extra, transform, plan };
  }
}

/** What is done to a column on the way into a batch. */
interface Preparation {
  readonly extra: Transform | undefined;
  readonly transform: Transform | undefined;
  readonly plan: LookupPlan | undefined;
}

/** Read by hand, outside a loader, samples are augmented by the process's own random numbers. */
const BY_HAND: SampleContext = { epoch: 0, random: () => new Random(Math.floor(Math.random() * 2 ** 32)) };

function rowOf(column: HostTensor, index: number): HostTensor {
  const shape = column.shape.slice(1);
  const size = sizeOf(shape);
  return { dtype: column.dtype, shape, data: column.data.subarray(index * size, (index + 1) * size) };
}

function gather(column: HostTensor, indices: Uint32Array): HostTensor {
  const shape = [indices.length, ...column.shape.slice(1)];
  const size = sizeOf(column.shape.slice(1));
  const data = newArrayLike(column.data, indices.length * size);
  if (size === 1) { for (let i = 0; i < indices.length; i++) data[i] = column.data[indices[i]]; }
  else {
    for (let i = 0; i < indices.length; i++) {
      // deno-lint-ignore no-explicit-any -- the two arrays are of one class, which TypeScript cannot see in a union
      data.set(column.data.subarray(indices[i] * size, (indices[i] + 1) * size) as any, i * size);
    }
  }
  return { dtype: column.dtype, shape, data };
}

function gatherByTable(column: HostTensor, indices: Uint32Array, plan: LookupPlan): HostTensor {
  const shape = [indices.length, ...plan.shape];
  if (!plan.tables) return { ...gather(column, indices), shape };
  const from = column.data as Uint8Array;
  const size = sizeOf(plan.shape);
  const data = new Float32Array(indices.length * size);
  if (plan.tables.length === 1) {
    const [table] = plan.tables;
    const pairs = size % 2 === 0 && from.byteOffset % 2 === 0 ? lookupPairs(table) : undefined;
    if (pairs) {
      const half = size / 2;
      const from16 = new Uint16Array(from.buffer, from.byteOffset, from.length >> 1),
        data64 = new Float64Array(data.buffer);
      for (let i = 0, to = 0; i < indices.length; i++) {
        for (let k = indices[i] * half, end = k + half; k < end; k++) data64[to++] = pairs[from16[k]];
      }
    } else {
      for (let i = 0, to = 0; i < indices.length; i++) {
        for (let k = indices[i] * size, end = k + size; k < end; k++) data[to++] = table[from[k]];
      }
    }
  } else {
    const { tables } = plan;
    for (let i = 0, to = 0; i < indices.length; i++) {
      const start = indices[i] * size;
      for (let k = 0; k < size; k++) data[to++] = tables[k % tables.length][from[start + k]];
    }
  }
  return { dtype: "float32", shape, data };
}

function gatherEach(
  column: HostTensor,
  indices: Uint32Array,
  transform: Transform,
  context: SampleContext,
): HostTensor {
  const first = transform.apply(rowOf(column, indices[0]), context.random(indices[0]));
  const size = sizeOf(first.shape);
  const data = newArrayLike(first.data, indices.length * size);
  for (let i = 0; i < indices.length; i++) {
    const row = i === 0 ? first : transform.apply(rowOf(column, indices[i]), context.random(indices[i]));
    if (
      row.dtype !== first.dtype || row.shape.length !== first.shape.length ||
      row.shape.some((n, d) => n !== first.shape[d])
    ) {
      throw new RangeError(
        `samples of one batch must have one shape and dtype, but the transform made ${first.dtype} [${first.shape}] of sample ${
          indices[0]
        } and ${row.dtype} [${row.shape}] of sample ${indices[i]}`,
      );
    }
    // deno-lint-ignore no-explicit-any -- one class, as checked above
    data.set(row.data as any, i * size);
  }
  return { dtype: first.dtype, shape: [indices.length, ...first.shape], data };
}
