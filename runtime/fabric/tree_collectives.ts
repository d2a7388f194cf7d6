import type { NumberArray, ProcessGroup, ReduceOp } from "../comm/process_group.ts";
import { tf } from "../tensor/tf.ts";

/** Numbers, tensors, and records and arrays of them. */
export type Tree = Leaf | readonly Tree[] | { readonly [key: string]: Tree };

type Leaf = number | boolean | tf.Tensor;

/** What `fabric.allGather` makes of a tree: every number and tensor becomes a tensor with the ranks as its first dimension. */
export type Gathered<T> = T extends Leaf ? tf.Tensor
  : { -readonly [K in keyof T]: Gathered<T[K]> };

/** Reduces every number and tensor of a tree over the ranks. Tensors come back as new ones, owned by the caller. */
export async function allReduceTree<T>(
  group: ProcessGroup,
  tree: T,
  options: { op: ReduceOp; purpose?: string },
): Promise<T> {
  return await mapLeaves(tree, async (leaf) => {
    if (typeof leaf !== "object") return (await group.allReduce(Float64Array.of(Number(leaf)), options))[0];
    const values = await group.allReduce(await hostArray(leaf), options);
    return tf.tensor(values as Float32Array, leaf.shape, leaf.dtype === "bool" ? "int32" : leaf.dtype);
  }) as T;
}

/**
 * Stacks every number and tensor of a tree over the ranks, along a new first dimension; with one rank there is none.
 * @throws RangeError if a tensor's shape differs between ranks
 */
export async function allGatherTree<T>(
  group: ProcessGroup,
  tree: T,
  purpose = "fabric.allGather",
): Promise<Gathered<T>> {
  return await mapLeaves(tree, async (leaf) => {
    const tensor = typeof leaf === "object" ? leaf : tf.scalar(Number(leaf));
    try {
      if (group.worldSize === 1) return tensor.clone();
      const shapes = await group.allGatherObjects(tensor.shape, { purpose });
      const odd = shapes.findIndex((shape) => shape.join() !== tensor.shape.join());
      if (odd >= 0) {
        throw new RangeError(
          `allGather needs tensors of one shape, but rank ${group.rank} has [${tensor.shape}] and rank ${odd} has [${
            shapes[odd]
          }]: pad them, or use fabric.gatherObjects`,
        );
      }
      const parts = await group.allGather(await hostArray(tensor), { purpose });
      const all = new (parts[0].constructor as Float32ArrayConstructor)(tensor.size * group.worldSize);
      parts.forEach((part, rank) => all.set(part as Float32Array, rank * tensor.size));
      return tf.tensor(all, [group.worldSize, ...tensor.shape], tensor.dtype === "bool" ? "int32" : tensor.dtype);
    } finally {
      if (tensor !== leaf) tensor.dispose();
    }
  }) as Gathered<T>;
}

/** A copy of the tensor's values that a collective may overwrite. */
async function hostArray(tensor: tf.Tensor): Promise<NumberArray> {
  const values = await tensor.data();
  if (values instanceof Float32Array || values instanceof Int32Array) return values.slice();
  if (tensor.dtype === "bool") return Int32Array.from(values as Uint8Array);
  throw new TypeError(`tensors of type ${tensor.dtype} cannot be reduced or gathered: cast to float32 or int32 first`);
}

async function mapLeaves(tree: unknown, f: (leaf: Leaf) => Promise<unknown>): Promise<unknown> {
  if (typeof tree === "number" || typeof tree === "boolean" || tree instanceof tf.Tensor) return await f(tree);
  if (typeof tree !== "object" || tree === null) {
    throw new TypeError(
      `expected numbers, tensors, or records and arrays of them, but got ${tree === null ? "null" : typeof tree}`,
    );
  }
  // In turn, not at once: collectives must be called in one order on all ranks.
  if (Array.isArray(tree)) {
    const results: unknown[] = [];
    for (const item of tree) results.push(await mapLeaves(item, f));
    return results;
  }
  const results: Record<string, unknown> = {};
  for (const key of Object.keys(tree).sort()) results[key] = await mapLeaves((tree as Record<string, unknown>)[key], f);
  return results;
}
