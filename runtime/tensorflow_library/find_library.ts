import { cacheDirectory } from "./cache_directory.ts";
import { tensorflowConfiguration } from "./configure.ts";
import { describeDirectory } from "./describe_directory.ts";
import type { LibrarySearch, TensorflowLibrary } from "./library.ts";
import { libraryFiles, missingFiles } from "./library_files.ts";
import { CACHE_PERMISSION, mayFindCache } from "./missing_permissions.ts";
import { platformProblem } from "./platform_problem.ts";
import { pythonTensorflow } from "./python_tensorflow.ts";

/** Options of {@linkcode findLibrary}. */
export interface FindLibraryOptions {
  /** Leaves out what is known to be built without CUDA. Default: false, any build will do. */
  cuda?: boolean;
  /** Does not ask Python, which takes a quarter of a second. Default: false. */
  quick?: boolean;
}

/**
 * Looks for a TensorFlow: in the folder that `TENSORFLOW_LIB_DIR` names (and then nowhere else), in the runtime's own cache, which `deno task setup`
 * fills, the newest version first, and in what the Python on PATH has. Opens none of the libraries. Never throws for what is not there.
 *
 * @example
 * ```ts
 * const { library, misses } = await findLibrary();
 * if (!library && misses.length === 0) throw new Error("a search that finds nothing says where it looked");
 * ```
 */
export async function findLibrary(options: FindLibraryOptions = {}): Promise<LibrarySearch> {
  const problem = platformProblem();
  if (problem) return { library: undefined, misses: [problem] };
  const { libraryDirectory, cacheHome, pythonCommands } = tensorflowConfiguration();
  const misses: string[] = [];
  const fits = (directory: string, source: TensorflowLibrary["source"], where: string) => {
    const missing = missingFiles(directory);
    const files = libraryFiles() ?? [];
    if (missing.length > 0) {
      const old = source === "python" && missing.length === files.length ? " (TensorFlow before 2.13 has none)" : "";
      return void misses.push(`${where} lacks ${missing.join(" and ")}${old}`);
    }
    const library: TensorflowLibrary = { directory, source, ...describeDirectory(directory) };
    if (options.cuda && library.cuda === false) return void misses.push(`${where} is built without CUDA`);
    return library;
  };

  if (libraryDirectory) {
    const where = `TENSORFLOW_LIB_DIR=${libraryDirectory}`;
    return { library: fits(libraryDirectory, "TENSORFLOW_LIB_DIR", where) ?? undefined, misses };
  }
  if (!await mayFindCache()) {
    misses.push(`the cache of an earlier setup can be looked for only with ${CACHE_PERMISSION}`);
  } else {
    const cache = cacheDirectory({ cacheHome });
    const versions = cachedVersions(cache);
    if (versions.length === 0) misses.push(`nothing was set up in ${cache}`);
    for (const version of versions) {
      const library = fits(`${cache}/${version}/tensorflow`, "cache", `${cache}/${version}`);
      if (library) return { library, misses };
    }
  }
  if (options.quick) return { library: undefined, misses };
  const python = await pythonTensorflow(pythonCommands);
  if ("miss" in python) misses.push(python.miss);
  else {
    const library = fits(python.directory, "python", `Python's TensorFlow in ${python.directory}`);
    if (library) return { library, misses };
  }
  return { library: undefined, misses };
}

/** Folders of the cache, the newest version first; what `setup` is still unpacking begins with a dot and is left out. */
function cachedVersions(cache: string): string[] {
  try {
    return [...Deno.readDirSync(cache)]
      .filter(({ name, isDirectory }) => isDirectory && /^\d/.test(name))
      .map(({ name }) => name)
      .sort((a, b) => b.localeCompare(a, undefined, { numeric: true }));
  } catch {
    return [];
  }
}
