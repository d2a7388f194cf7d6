import type { Trainer } from "./trainer.ts";
import { warn } from "../core/messages.ts";
import { dirname, join } from "node:path";

/**
 * The path that `ckptPath` means: a path itself, `"best"`, or `"last"`, the newest that a ModelCheckpoint, an exception or an
 * interruption left. All ranks get rank 0's answer.
 * @throws Error if there is no best checkpoint
 */
export async function findCheckpoint(trainer: Trainer, wanted: string | undefined): Promise<string | undefined> {
  if (wanted === undefined) return undefined;
  if (wanted !== "best" && wanted !== "last") return wanted;
  const found = await trainer.fabric.broadcast(trainer.isGlobalZero ? await find(trainer, wanted) ?? null : null, {
    purpose: "the Trainer's `ckptPath`",
  });
  if (found !== null) return found;
  if (wanted === "best") {
    throw new Error(
      '`ckptPath: "best"` is set, but no ModelCheckpoint has saved one: give `new ModelCheckpoint({ monitor })` to the Trainer and fit first, ' +
        "or give a path",
    );
  }
  warn(
    "no-last-checkpoint",
    '`ckptPath: "last"` is set, but there is no last checkpoint available. No checkpoint will be loaded. ' +
      "HINT: Set `new ModelCheckpoint({ saveLast: true })`.",
  );
  return undefined;
}

async function find(trainer: Trainer, wanted: "best" | "last"): Promise<string | undefined> {
  const callbacks = trainer.checkpointCallbacks;
  if (wanted === "best") return callbacks.map(({ bestModelPath }) => bestModelPath).find((path) => path !== "");
  const folders = new Set<string>([join(trainer.logDir, "checkpoints")]);
  const candidates: string[] = [];
  for (const { dirpath, lastModelPath } of callbacks) {
    if (lastModelPath) candidates.push(lastModelPath);
    if (dirpath) folders.add(dirpath);
    else if (lastModelPath) folders.add(dirname(lastModelPath));
  }
  for (const folder of folders) {
    try {
      for await (const { name } of Deno.readDir(folder)) {
        if (/^(last|on_exception|interrupted)/.test(name) && name.endsWith(".ckpt")) {
          candidates.push(join(folder, name));
        }
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const dated = await Promise.all(candidates.map(async (path) => {
    const changed = (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime();
    return { path, changed };
  }));
  return dated.filter(({ changed }) => changed !== undefined).sort((a, b) => b.changed! - a.changed!)[0]?.path;
}
