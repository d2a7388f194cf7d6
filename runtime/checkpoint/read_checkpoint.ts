import { createHash, type Hash } from "node:crypto";
import type { HostTensor } from "../tensor/host_tensor.ts";
import type { StateDict } from "../tensor/state.ts";
import { dtypeInfo, elementCount } from "./dtypes.ts";
import { DIGEST_KEY, NO_DIGEST, type TensorInfo } from "./header.ts";
import { invalid, type OpenCheckpoint, openCheckpoint, readExactly } from "./open_checkpoint.ts";
import { decodeTree } from "./tree.ts";

/** Options of {@linkcode readCheckpoint}. */
export interface ReadCheckpointOptions {
  /** Stops the reading. Default: none. */
  signal?: AbortSignal;
}

/**
 * Reads state from a file that {@linkcode writeCheckpoint} wrote, or from any safetensors file, which gives a flat record of
 * tensors by name. Tensors come as host tensors that belong to the caller; nothing in the file is run.
 *
 * Before memory is taken, the header's sizes, offsets, names, types and shapes are held against the file; after reading, the digest.
 * A file that was changed on purpose, say weights edited in Python, is read without a digest if its metadata key `weft.sha256` is "".
 *
 * @throws CheckpointError if there is no such file, it is damaged, cut short, no checkpoint, or of a newer version
 */
export async function readCheckpoint(path: string, options: ReadCheckpointOptions = {}): Promise<StateDict> {
  const { signal } = options;
  signal?.throwIfAborted();
  using checkpoint = await openCheckpoint(path);
  const { file, header, state } = checkpoint;
  try {
    const digest = startDigest(checkpoint);
    const tensors = new Map<string, HostTensor>();
    for (const info of header.tensors) tensors.set(info.name, await readTensor(file, info, { digest, signal }));
    digest?.finish();
    if (!state) return Object.fromEntries(tensors) as unknown as StateDict;
    const tree = decodeTree(state.tree, (name) => {
      const tensor = tensors.get(name);
      if (!tensor) throw new Error(`its state names the tensor ${JSON.stringify(name)}, which is not in the file`);
      return tensor;
    });
    if (typeof tree !== "object" || tree === null || Array.isArray(tree)) throw new Error("its state is no record");
    return tree as StateDict;
  } catch (error) {
    if (signal?.aborted && error === signal.reason) throw error;
    throw invalid(path, error);
  }
}

async function readTensor(
  file: Deno.FsFile,
  info: TensorInfo,
  { digest, signal }: { digest?: { update(chunk: Uint8Array): void }; signal?: AbortSignal },
): Promise<HostTensor> {
  const data = new (dtypeInfo(info.dtype)!.array)(elementCount(info.shape)!);
  await readExactly(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), (chunk) => {
    signal?.throwIfAborted();
    digest?.update(chunk);
  });
  return { dtype: info.dtype, shape: info.shape, data };
}

/** The digest of a file as it is read; undefined if the file is not ours or says that it has none. */
function startDigest(
  { header, headerBytes, state }: OpenCheckpoint,
): { update: (chunk: Uint8Array) => void; finish(): void } | undefined {
  const expected = header.metadata.get(DIGEST_KEY);
  if (expected === "" || expected === undefined && !state) return undefined;
  // Only our own writer puts the digest first; elsewhere it cannot have been computed over this header.
  const at = 8 + `{"__metadata__":{"${DIGEST_KEY}":"`.length;
  const blank = headerBytes.slice();
  if (at + NO_DIGEST.length <= blank.length) blank.set(new TextEncoder().encode(NO_DIGEST), at);
  const hash: Hash = createHash("sha256").update(blank);
  return {
    update: (chunk) => void hash.update(chunk),
    finish() {
      if (hash.digest("hex") === expected) return;
      throw new Error(
        `its content does not match its digest, so it was damaged or changed after it was written. Use another copy; if it was ` +
          `changed on purpose, save it with the metadata key ${DIGEST_KEY} set to ""`,
      );
    },
  };
}
