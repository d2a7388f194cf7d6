import type { TensorflowLibrary } from "./library.ts";

/**
 * Links a TensorFlow that Python has into the cache, so that from now on it is found without asking Python.
 * @param cache the runtime's cache, by `cacheDirectory`
 */
export async function rememberLibrary(library: TensorflowLibrary, cache: string): Promise<void> {
  const folder = `${cache}/${library.version ?? "0"}-python`;
  await Deno.mkdir(folder, { recursive: true });
  const link = `${folder}/tensorflow`, fresh = `${folder}/.${crypto.randomUUID()}`;
  await Deno.symlink(library.directory, fresh);
  await Deno.rename(fresh, link);
}
