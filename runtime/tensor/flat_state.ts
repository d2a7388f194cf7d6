import { isHostTensor } from "./host_tensor.ts";
import type { StateDict, StateLeaf, StateTree } from "./state.ts";
import { tf } from "./tf.ts";

/**
 * The leaves of a state tree by their dotted names: `{ model: { bias: x }, list: [1] }` becomes `model.bias` and `list.0`. Empty
 * records and arrays have no leaves. Names with dots are kept, so two leaves may end up with one name:
 * @throws Error then
 */
export function flattenState(tree: StateDict): Map<string, StateLeaf> {
  const leaves = new Map<string, StateLeaf>();
  const visit = (value: StateTree | undefined, name: string) => {
    if (value === undefined) return;
    if (typeof value === "object" && value !== null && !(value instanceof tf.Tensor) && !isHostTensor(value)) {
      for (const [key, child] of Object.entries(value)) visit(child, name === "" ? key : `${name}.${key}`);
      return;
    }
    if (leaves.has(name)) throw new Error(`Two values of the state are named \`${name}\` when flattened`);
    leaves.set(name, value as StateLeaf);
  };
  visit(tree, "");
  return leaves;
}

/** The tree of records that has these leaves under these dotted names. Arrays come back as records with the keys 0, 1, …. */
export function unflattenState(leaves: Iterable<readonly [string, StateLeaf]>): StateDict {
  const tree: StateDict = {};
  for (const [name, leaf] of leaves) {
    const parts = name.split(".");
    let node = tree;
    for (const part of parts.slice(0, -1)) {
      // A key such as __proto__ must become a key, not a prototype.
      if (!Object.hasOwn(node, part)) define(node, part, {});
      const child = node[part];
      if (typeof child !== "object" || child === null || child instanceof tf.Tensor || isHostTensor(child)) {
        throw new Error(`\`${name}\` cannot lie below \`${part}\`, which is a value itself`);
      }
      node = child as StateDict;
    }
    define(node, parts.at(-1)!, leaf);
  }
  return tree;
}

function define(record: StateDict, key: string, value: StateTree): void {
  Object.defineProperty(record, key, { value, enumerable: true, writable: true, configurable: true });
}
