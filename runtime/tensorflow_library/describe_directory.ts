import type { TensorflowLibrary } from "./library.ts";

/** What `setup` writes beside the files that it unpacked. */
export interface Manifest {
  version: string;
  cuda: boolean;
  /** The wheel that the files come from. */
  wheel: string;
  sha256: string;
}

/** The name of the file that holds a {@linkcode Manifest}. */
export const MANIFEST = "weft.json";

/**
 * What the files beside TensorFlow's libraries tell of them: the manifest that `setup` writes, or what pip installs (the name of the
 * `dist-info` folder, `build_info.py`).
 */
export function describeDirectory(directory: string): Pick<TensorflowLibrary, "version" | "cuda"> {
  const manifest = readText(`${directory}/${MANIFEST}`);
  if (manifest !== undefined) {
    try {
      const { version, cuda } = JSON.parse(manifest) as Partial<Manifest>;
      return {
        version: typeof version === "string" ? version : undefined,
        cuda: typeof cuda === "boolean" ? cuda : undefined,
      };
    } catch {
      // A manifest that someone damaged tells nothing; the libraries may still be fine.
    }
  }
  const build = readText(`${directory}/python/platform/build_info.py`)?.match(/'is_cuda_build',\s*(True|False)/)?.[1];
  return { version: installedVersion(`${directory}/..`), cuda: build === undefined ? undefined : build === "True" };
}

function installedVersion(sitePackages: string): string | undefined {
  try {
    for (const { name } of Deno.readDirSync(sitePackages)) {
      const version = name.match(/^tensorflow(?:_cpu|_intel|_macos)?-(\d[^-]*)\.dist-info$/)?.[1];
      if (version) return version;
    }
  } catch {
    // Not below a site-packages folder.
  }
  return undefined;
}

function readText(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
