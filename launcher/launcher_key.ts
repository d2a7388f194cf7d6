import { RunKey } from "../runtime/core/run_key.ts";
import { readKeyFile, readRunKey } from "../runtime/environments/read_run_key.ts";

/** How often it is looked whether the file is there. */
const LOOK_MS = 200;

/** Options of {@linkcode launcherKey}. */
export interface LauncherKeyOptions {
  /** Where the key is, or will be. Default: nowhere. */
  keyFile?: string;
  /** What `WEFT_RUN_KEY` holds. */
  runKey?: string;
  /** Node 0 makes the file if it is missing; the others wait for it. */
  nodeRank: number;
  /** How long, in milliseconds. */
  waitMs: number;
  /** Told that somebody else has to make the file. */
  onWait?: () => void;
}

/**
 * The key that a launcher was given; undefined if it was given none. What `--key-file` names wins over the variable.
 * @throws Error if the file does not come, cannot be read or made, or others can read it; TypeError if it holds no key
 */
export async function launcherKey(options: LauncherKeyOptions): Promise<RunKey | undefined> {
  const { keyFile, runKey, nodeRank, waitMs, onWait } = options;
  if (keyFile === undefined) return await readRunKey({ runKey });
  if (nodeRank === 0) await makeIfMissing(keyFile);
  const end = performance.now() + waitMs;
  for (let isFirst = true; !await exists(keyFile) && performance.now() < end; isFirst = false) {
    if (isFirst) onWait?.();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return await readKeyFile(keyFile);
}

/** Under another name first, so that nobody reads half a key. */
async function makeIfMissing(path: string): Promise<void> {
  if (await exists(path)) return;
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    await Deno.writeTextFile(draft, `${RunKey.random().toText()}\n`, { createNew: true, mode: 0o600 });
    await Deno.link(draft, path);
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) return;
    throw new Error(
      `The run's key cannot be written to ${path}: ${(cause as Error).message}. Give another --key-file`,
      {
        cause,
      },
    );
  } finally {
    await Deno.remove(draft).catch(() => {});
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  });
}
