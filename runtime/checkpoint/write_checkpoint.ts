import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { CheckpointError } from "../core/errors.ts";
import type { StateDict } from "../tensor/state.ts";
import { layOut } from "./header.ts";
import { encodeTree } from "./tree.ts";

/** Options of {@linkcode writeCheckpoint}. */
export interface WriteCheckpointOptions {
  /** Stops the writing; what was at the path before stays. Default: none. */
  signal?: AbortSignal;
}

/** Bytes hashed and written at a time: small enough that the event loop is never held up for more than a few milliseconds. */
const CHUNK = 1 << 20;
let written = 0;

/**
 * Writes state to a safetensors file, which Python's `safetensors` reads too: tensors under the keys that lead to them, joined
 * by dots (`model.0.weight`), everything else as JSON in the header.
 *
 * The file appears at once and whole: it is written beside the path, flushed to the disk and then renamed. If that fails, a file
 * that was at the path before is untouched. Missing folders are made.
 *
 * Values that are not tensors are copied before the first wait. The arrays of host tensors are read until the promise
 * resolves, and must not change before; they stay the caller's.
 *
 * @throws TypeError or RangeError (by rejection, before anything is written) for what a checkpoint cannot hold, live tensors included
 * @throws CheckpointError if the file cannot be written
 *
 * @example Save and read back
 * ```ts
 * import { readCheckpoint } from "./read_checkpoint.ts";
 *
 * const folder = await Deno.makeTempDir();
 * const weight = { dtype: "float32", shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) } as const;
 * await writeCheckpoint(`${folder}/step=10.ckpt`, { model: { weight }, step: 10, best: -Infinity });
 * const state = await readCheckpoint(`${folder}/step=10.ckpt`);
 * console.log(state.step, state.best); // 10 -Infinity
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function writeCheckpoint(
  path: string,
  tree: StateDict,
  options: WriteCheckpointOptions = {},
): Promise<void> {
  const { signal } = options;
  signal?.throwIfAborted();
  const { structure, tensors } = encodeTree(tree);
  const { header, digestAt, ordered } = layOut(structure, tensors);
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${Deno.pid}-${++written}.tmp`);
  let doing = "make its folder";
  try {
    await Deno.mkdir(folder, { recursive: true });
    doing = "create a file beside it";
    {
      using file = await Deno.open(temporary, { write: true, createNew: true });
      doing = "write it";
      const hash = createHash("sha256");
      await writeAll(file, header, { hash, signal });
      for (const { tensor: { data } } of ordered) {
        await writeAll(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), { hash, signal });
      }
      await file.seek(digestAt, Deno.SeekMode.Start);
      await writeAll(file, new TextEncoder().encode(hash.digest("hex")), { signal });
      doing = "flush it to the disk";
      await file.sync();
    }
    signal?.throwIfAborted();
    doing = "rename the finished file to it";
    await Deno.rename(temporary, path);
  } catch (cause) {
    await Deno.remove(temporary).catch(() => {});
    if (signal?.aborted && cause === signal.reason) throw cause;
    throw new CheckpointError(
      `Could not save the checkpoint ${path}: failed to ${doing} (${(cause as Error).message}). ${
        remedy(cause, { doing, folder })
      } ` +
        `What was at this path before is unchanged.`,
      path,
      { cause },
    );
  }
  await syncFolder(folder);
}

async function writeAll(
  file: Deno.FsFile,
  bytes: Uint8Array,
  { hash, signal }: { hash?: { update(bytes: Uint8Array): unknown }; signal?: AbortSignal },
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    signal?.throwIfAborted();
    const chunk = bytes.subarray(at, at + CHUNK);
    hash?.update(chunk);
    for (let done = 0; done < chunk.length;) done += await file.write(chunk.subarray(done));
    at += chunk.length;
  }
}

/** A rename outlives a power cut only once its folder is flushed too. Where folders cannot be opened (Windows) there is nothing to do. */
async function syncFolder(folder: string): Promise<void> {
  try {
    using handle = await Deno.open(folder);
    await handle.sync();
  } catch {
    // The file itself is whole and in place.
  }
}

function remedy(cause: unknown, { doing, folder }: { doing: string; folder: string }): string {
  const code = (cause as { code?: string }).code;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
    return `Free space on the disk of ${folder}, or save to another folder.`;
  }
  if (
    code === "ENOTDIR" || cause instanceof Deno.errors.NotADirectory || doing === "make its folder" && code === "EEXIST"
  ) {
    return "A part of the path is a file, not a folder: save under another path.";
  }
  if (code === "EISDIR" || code === "ENOTEMPTY" || code === "EEXIST") {
    return "There is a folder of this name: save under another one.";
  }
  if (cause instanceof Deno.errors.PermissionDenied || cause instanceof Deno.errors.NotCapable || code === "EROFS") {
    return `Give this process the right to write to ${folder}, or save to another folder.`;
  }
  return "Save to another folder if it goes on.";
}
