import { basename, dirname, join, relative, resolve, sep } from "node:path";

/** True if there is a file, or a link to one that is gone. */
export async function fileExists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    // A file where a folder is needed: saving will say so better.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

/** True if a file lies in a folder or deeper. */
export function liesIn(folder: string, path: string): boolean {
  return resolve(path).startsWith(resolve(folder) + sep);
}

/** Removes a checkpoint; one that is gone already is fine. */
export async function removeCheckpoint(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Gives a checkpoint a second name, replacing what had it, at once.
 * @param how `"link"`: a symbolic link; otherwise the same file under two names, or a copy where the disk cannot do that
 */
export async function aliasCheckpoint(path: string, alias: string, how: "link" | "same"): Promise<void> {
  const temporary = join(dirname(alias), `.${basename(alias)}.${Deno.pid}.tmp`);
  await removeCheckpoint(temporary);
  if (how === "link") await Deno.symlink(relative(dirname(alias), path), temporary);
  else {
    try {
      await Deno.link(path, temporary);
    } catch {
      await Deno.copyFile(path, temporary);
    }
  }
  await Deno.rename(temporary, alias);
  // Renaming one name of a file to another of its names does nothing.
  await removeCheckpoint(temporary);
}

/** Whether a folder has files. False if it is not there. */
export async function isFilled(folder: string): Promise<boolean> {
  try {
    for await (const _ of Deno.readDir(folder)) return true;
    return false;
  } catch {
    return false;
  }
}
