import type { TensorInfo } from "./header.ts";
import { invalid, openCheckpoint } from "./open_checkpoint.ts";
import { decodeTree } from "./tree.ts";

/** What {@linkcode readCheckpointHeader} tells. */
export interface CheckpointHeader {
  /** The checkpoint format; undefined for a safetensors file that Weft did not write. */
  readonly format: number | undefined;
  /** All tensors, in the order of their bytes. */
  readonly tensors: readonly TensorInfo[];
  /** The strings of the file's `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The state with a {@linkcode TensorInfo} wherever a tensor is; for a foreign file a record of them by name. */
  readonly state: { readonly [key: string]: unknown };
}

/**
 * Reads what a checkpoint holds without reading its tensors: quick whatever the file's size. The digest is not checked.
 * @throws CheckpointError as readCheckpoint does
 */
export async function readCheckpointHeader(path: string): Promise<CheckpointHeader> {
  using checkpoint = await openCheckpoint(path);
  const { header: { tensors, metadata }, state } = checkpoint;
  const byName = new Map(tensors.map((info) => [info.name, info]));
  if (!state) return { format: undefined, tensors, metadata, state: Object.fromEntries(byName) };
  try {
    const tree = decodeTree(state.tree, (name) => {
      const info = byName.get(name);
      if (!info) throw new Error(`its state names the tensor ${JSON.stringify(name)}, which is not in the file`);
      return info;
    });
    if (typeof tree !== "object" || tree === null || Array.isArray(tree)) throw new Error("its state is no record");
    return { format: state.format, tensors, metadata, state: tree as CheckpointHeader["state"] };
  } catch (error) {
    throw invalid(path, error);
  }
}
