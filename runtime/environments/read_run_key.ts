import { RunKey } from "../core/run_key.ts";
import type { Settings } from "./settings.ts";

/** How to make a key, for messages. */
export const MAKE_KEY = "(umask 077; openssl rand -hex 32 > run.key)";

/**
 * The key of the run: what `WEFT_RUN_KEY` holds, or the file that `WEFT_RUN_KEY_FILE` names. Undefined if neither is set.
 * @throws TypeError if both are set, or what is there is no key; Error if the file cannot be read, or others than its owner can read it
 */
export async function readRunKey(settings: Pick<Settings, "runKey" | "runKeyFile">): Promise<RunKey | undefined> {
  const { runKey, runKeyFile } = settings;
  if (runKeyFile === undefined) return runKey === undefined ? undefined : parse(runKey, "WEFT_RUN_KEY");
  if (runKey !== undefined) {
    throw new TypeError("The run's key is given twice, by WEFT_RUN_KEY and by a file: leave one of them out");
  }
  return await readKeyFile(runKeyFile);
}

/**
 * Reads a key from a file.
 * @throws Error if it cannot be read, or others than its owner can read it; TypeError if it holds no key
 */
export async function readKeyFile(path: string): Promise<RunKey> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (cause) {
    throw new Error(`The run's key cannot be read from ${path}: ${(cause as Error).message}. Make one: ${MAKE_KEY}`, {
      cause,
    });
  }
  using open = file;
  // Of what is open, so that nobody can put another file in its place in between.
  const { mode, size, isFile } = await open.stat();
  if (!isFile || size > 4096) {
    throw new TypeError(`${path} holds no run's key: it is ${isFile ? `${size} bytes long` : "no file"}`);
  }
  if (mode !== null && (mode & 0o077) !== 0) {
    const octal = (mode & 0o777).toString(8);
    throw new Error(
      `The run's key in ${path} can be read by others (mode ${octal}): \`chmod 600 ${path}\`, or make a new one if they may have read it`,
    );
  }
  return parse(await new Response(open.readable).text(), path);
}

function parse(text: string, where: string): RunKey {
  try {
    return RunKey.parse(text);
  } catch (cause) {
    throw new TypeError(`${where}: ${(cause as Error).message}`, { cause });
  }
}
