/**
 * Gets TensorFlow's library, which the accelerators cpu and cuda compute with: `deno task setup`, or
 *
 *     deno run -A launcher/setup.ts --help
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { closest } from "../runtime/core/suggest.ts";
import { countCudaDevices } from "../runtime/devices/cuda_devices.ts";
import { processEnvironment } from "../runtime/environments/process_environment.ts";
import { cacheDirectory } from "../runtime/tensorflow_library/cache_directory.ts";
import { configurationFrom } from "../runtime/tensorflow_library/configuration_from.ts";
import { configureTensorflow, tensorflowConfiguration } from "../runtime/tensorflow_library/configure.ts";
import { describeLibrary } from "../runtime/tensorflow_library/describe_library.ts";
import { findLibrary } from "../runtime/tensorflow_library/find_library.ts";
import { findPip } from "../runtime/tensorflow_library/find_pip.ts";
import { installLibrary } from "../runtime/tensorflow_library/install_library.ts";
import { platformProblem } from "../runtime/tensorflow_library/platform_problem.ts";
import { rememberLibrary } from "../runtime/tensorflow_library/remember_library.ts";
import { tryLibrary } from "../runtime/tensorflow_library/try_library.ts";
import { PINNED_VERSION, wheelsFor } from "../runtime/tensorflow_library/wheels.ts";

const HELP = `Gets TensorFlow's library, with which the accelerators cpu and cuda compute.

Usage: deno task setup [options]

Takes the TensorFlow that is there: in TENSORFLOW_LIB_DIR, in the cache of an earlier setup, in the Python on PATH. If there is none,
downloads it from PyPI by pip, checks it against a pinned sha256, and unpacks what is needed of it.

Options
  --cuda           the build for NVIDIA's GPUs, with the CUDA libraries (about 4 GB to download)
  --dir DIR        where to put it (default: ${cacheDirectory()}/VERSION); set TENSORFLOW_LIB_DIR to DIR/tensorflow then
  --version X.Y.Z  another version than the one this runtime is tested with (default: ${PINNED_VERSION}); it is not pinned
  --force          download it even if there is one
  --help           this text
`;

/** The kernels that tfjs lays over the library; in Deno's cache, so that training needs no network. */
const KERNELS = "npm:@tensorflow/tfjs-node-gpu@4.22.0";

/** Runs the setup with these arguments and returns its exit code. */
async function main(args: readonly string[]): Promise<number> {
  const interrupted = new AbortController();
  const onSignal = () => interrupted.abort(new Error("interrupted; nothing was left behind"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, onSignal);
  try {
    const { cuda = false, force = false, help, dir, version = PINNED_VERSION } = parse(args);
    if (help) {
      console.log(HELP);
      return 0;
    }
    if (!/^\d+(\.\d+){1,2}\S*$/.test(version)) {
      throw new TypeError(`\`--version ${version}\` is no version: give one such as ${PINNED_VERSION}`);
    }
    const problem = platformProblem();
    if (problem) throw new Error(`${problem}. The accelerator wasm works here, and auto takes it`);
    configureTensorflow(configurationFrom(processEnvironment()));
    if (!force && !dir) {
      const { library, misses } = await findLibrary({ cuda });
      for (const miss of misses) console.log(`not used: ${miss}`);
      if (library) {
        await tryLibrary(library.directory);
        if (library.source === "python") await rememberLibrary(library, cacheDirectory(tensorflowConfiguration()));
        console.log(`found ${describeLibrary(library)}; --force downloads another`);
        return await finish(cuda);
      }
    }
    const wheels = wheelsFor({ version, cuda });
    const folder = dir ? resolve(dir) : `${cacheDirectory(tensorflowConfiguration())}/${version}${cuda ? "-cuda" : ""}`;
    const pip = await findPip();
    const directory = await installLibrary(wheels, { folder, pip, say: console.log, signal: interrupted.signal });
    console.log(`TensorFlow ${await tryLibrary(directory)} is in ${directory}`);
    if (dir) console.log(`set TENSORFLOW_LIB_DIR=${directory} to use it`);
    return await finish(cuda);
  } catch (error) {
    console.error(`setup: ${error instanceof Error ? error.message : error}`);
    return interrupted.signal.aborted ? 130 : error instanceof TypeError ? 2 : 1;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(signal, onSignal);
  }
}

const OPTIONS = {
  cuda: { type: "boolean" },
  dir: { type: "string" },
  version: { type: "string" },
  force: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

function parse(args: readonly string[]) {
  const given = args.find((arg) => arg.startsWith("--"))?.slice(2).replace(/=.*/, "");
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (cause) {
    const meant = given && !(given in OPTIONS) ? closest(given, Object.keys(OPTIONS)) : undefined;
    const hint = meant ? `did you mean --${meant}?` : `the options are --${Object.keys(OPTIONS).join(", --")}`;
    throw new TypeError(`${cause instanceof Error ? cause.message : cause}; ${hint}`, { cause });
  }
}

/** Gets what else is needed, and says what the accelerators will be. */
async function finish(cuda: boolean): Promise<number> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", "--no-config", KERNELS],
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) console.error(`setup: could not download ${KERNELS}; it is downloaded when TensorFlow is first used`);
  const gpus = countCudaDevices();
  if (cuda && gpus.count === 0) console.log(`no GPU can be used yet: ${gpus.reason}`);
  const taken = cuda && gpus.count > 0 ? "cuda" : "cpu";
  console.log(`--accelerator auto now takes ${taken}, computed by TensorFlow`);
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
