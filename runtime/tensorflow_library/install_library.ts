import { statfsSync } from "node:fs";
import { MANIFEST, type Manifest } from "./describe_directory.ts";
import { digest, downloadWheel } from "./download_wheel.ts";
import { missingFiles } from "./library_files.ts";
import { unpackWheel } from "./unpack_wheel.ts";
import { PINNED_VERSION, type Wheel } from "./wheels.ts";

/** Options of {@linkcode installLibrary}. */
export interface InstallLibraryOptions {
  /** The folder to fill, which is replaced as a whole: `tensorflow` in it will hold the libraries. */
  folder: string;
  /** What runs pip, by `findPip`. */
  pip: readonly string[];
  /** Told what is being done, a line at a time. Default: nobody is. */
  say?: (line: string) => void;
  /** Bytes that must be free on the folder's disk. Default: 1.5 GB, and 12 GB with CUDA's wheels. */
  requiredBytes?: number;
  /** Ends the installation; nothing is left of it. */
  signal?: AbortSignal;
}

/**
 * Downloads wheels and unpacks what is needed of them. The folder appears complete or not at all: what is unfinished lies beside it,
 * under a name that begins with a dot, and is removed when something fails.
 * @returns the folder that holds TensorFlow's libraries
 * @throws Error if the disk is too small, a download fails or a wheel lacks the libraries
 */
export async function installLibrary(wheels: readonly Wheel[], options: InstallLibraryOptions): Promise<string> {
  const { pip, say = () => {}, signal } = options;
  const folder = options.folder.replace(/\/+$/, "");
  const parent = folder.slice(0, folder.lastIndexOf("/")) || "/";
  const cuda = wheels.length > 1;
  const requiredBytes = options.requiredBytes ?? (cuda ? 12e9 : 1.5e9);
  await Deno.mkdir(parent, { recursive: true });
  const { bavail, bsize } = statfsSync(parent);
  if (bavail * bsize < requiredBytes) {
    throw new Error(
      `the disk of ${parent} has ${size(bavail * bsize)} left, and ${
        size(requiredBytes)
      } are needed: make room, or choose a folder ` +
        "on another disk by --dir",
    );
  }
  const staging = await Deno.makeTempDir({ dir: parent, prefix: ".unfinished-" });
  try {
    let manifest: Manifest | undefined;
    for (const wheel of wheels) {
      signal?.throwIfAborted();
      const download = `${staging}/download`;
      await Deno.mkdir(download);
      say(`downloading ${wheel.project} ${wheel.version}`);
      const path = await downloadWheel(wheel, { folder: download, pip, signal });
      const name = path.slice(path.lastIndexOf("/") + 1);
      say(wheel.sha256 ? `checked ${name}: it is the pinned one` : `${name} is not pinned: nothing but pip checked it`);
      const onFile = (file: string, bytes: number) => bytes > 10e6 && say(`unpacking ${file} (${size(bytes)})`);
      const files = await unpackWheel(path, { folder: `${staging}/root`, needed: wheel.needed, onFile, signal });
      if (files === 0) throw new Error(`${name} holds none of the files that are needed`);
      manifest ??= { version: wheel.version, cuda, wheel: name, sha256: wheel.sha256 ?? await digest(path) };
      await Deno.remove(download, { recursive: true });
    }
    const missing = missingFiles(`${staging}/root/tensorflow`);
    if (missing.length > 0) {
      throw new Error(
        `${manifest?.wheel} lacks ${missing.join(" and ")}: this version cannot be used, try ${PINNED_VERSION}`,
      );
    }
    await Deno.writeTextFile(`${staging}/root/tensorflow/${MANIFEST}`, JSON.stringify(manifest, null, 2) + "\n");
    signal?.throwIfAborted();
    const old = `${staging}/old`;
    await Deno.rename(folder, old).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    await Deno.rename(`${staging}/root`, folder);
  } finally {
    await Deno.remove(staging, { recursive: true });
  }
  return `${folder}/tensorflow`;
}

function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
