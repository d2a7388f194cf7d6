/**
 * Says what is there to train with, and what is missing: what to paste into a bug report. `deno task doctor`, or
 *
 *     deno run -A launcher/doctor.ts
 */
import { countUsableDevices } from "./count_usable_devices.ts";
import { cpus, release, totalmem, type } from "node:os";
import { bundledLibzmq, libzmqPath, setLibzmqPath } from "../runtime/comm/libzmq_library.ts";
import { countDevices } from "../runtime/devices/device_inventory.ts";
import { selectDevices } from "../runtime/devices/select_devices.ts";
import { processEnvironment } from "../runtime/environments/process_environment.ts";
import { configurationFrom } from "../runtime/tensorflow_library/configuration_from.ts";
import { configureTensorflow } from "../runtime/tensorflow_library/configure.ts";
import { describeLibrary } from "../runtime/tensorflow_library/describe_library.ts";
import { findLibrary } from "../runtime/tensorflow_library/find_library.ts";
import { tryLibrary } from "../runtime/tensorflow_library/try_library.ts";

/** One line of the report: what it is about, and what there is. */
type Line = readonly [about: string, text: string];

const variables = processEnvironment();

/** What fails is a line of the report, not the end of it. */
async function line(about: string, look: () => string | Promise<string>): Promise<Line> {
  try {
    return [about, await look()];
  } catch (error) {
    return [about, `MISSING: ${error instanceof Error ? error.message : error}`];
  }
}

async function tensorflow(): Promise<string> {
  configureTensorflow(configurationFrom(variables));
  const { library, misses } = await findLibrary();
  if (!library) return `none: ${misses.join("; ")}. \`deno task setup\` gets it`;
  const opened = await tryLibrary(library.directory);
  const not = misses.length > 0 ? ` (not used: ${misses.join("; ")})` : "";
  return `${describeLibrary({ ...library, version: opened })}${not}`;
}

async function devices(kind: "cuda" | "webgpu"): Promise<string> {
  const { count, reason } = await countDevices(kind);
  return count > 0 ? `${count}` : `none: ${reason}`;
}

async function autoTakes(): Promise<string> {
  const { accelerator } = await selectDevices({ count: countUsableDevices });
  return accelerator === "cuda" || (await findLibrary({ quick: true })).library ? accelerator : "wasm";
}

function libzmq(): string {
  setLibzmqPath(variables.LIBZMQ_PATH);
  const path = libzmqPath() ?? bundledLibzmq();
  Deno.statSync(path);
  using library = opened(path);
  const [major, minor, patch] = [0, 1, 2].map(() => new Int32Array(1));
  library.symbols.zmq_version(major, minor, patch);
  return `${major[0]}.${minor[0]}.${patch[0]}, ${path}`;
}

function opened(path: string) {
  const library = Deno.dlopen(path, { zmq_version: { parameters: ["buffer", "buffer", "buffer"], result: "void" } });
  return { symbols: library.symbols, [Symbol.dispose]: () => library.close() };
}

/** The variables that change what is found or how it runs. */
function settings(): string {
  const names = Object.keys(variables).filter((name) =>
    /^(WEFT_|TENSORFLOW_LIB_DIR$|LIBZMQ_PATH$|CUDA_VISIBLE_DEVICES$|XLA_FLAGS$|TF_(NUM|ENABLE|CPP|FORCE|XLA)_)/.test(
      name,
    )
  );
  return names.map((name) => `${name}=${variables[name]}`).join(" ") || "none set";
}

async function main(): Promise<number> {
  const { deno, v8, typescript } = Deno.version;
  const lines = [
    await line("deno", () => `${deno} (v8 ${v8}, TypeScript ${typescript}), ${Deno.build.target}`),
    await line("system", () => {
      const [{ model = "" } = {}] = cpus();
      return `${type()} ${release()}, ${navigator.hardwareConcurrency} cores${model && ` (${model.trim()})`}, ` +
        `${(totalmem() / 2 ** 30).toFixed(1)} GiB memory`;
    }),
    await line("settings", settings),
    await line("libzmq", libzmq),
    await line("tensorflow", tensorflow),
    await line("cuda devices", () => devices("cuda")),
    await line("webgpu adapters", () => devices("webgpu")),
    await line("auto takes", autoTakes),
  ];
  const width = Math.max(...lines.map(([about]) => about.length));
  for (const [about, text] of lines) console.log(`${about.padEnd(width)}  ${text}`);
  return lines.some(([, text]) => text.startsWith("MISSING")) ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main());
