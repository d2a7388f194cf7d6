import { info } from "../core/messages.ts";
import { closest } from "../core/suggest.ts";
import type { Accelerator } from "./accelerator.ts";
import { availableAccelerators } from "./available_accelerators.ts";
import { ACCELERATOR_NAMES, LOADERS } from "./registry.ts";
import { findLibrary } from "../tensorflow_library/find_library.ts";
import { missingPermissions } from "../tensorflow_library/missing_permissions.ts";
import { platformProblem } from "../tensorflow_library/platform_problem.ts";

/** Options of {@linkcode selectAccelerator}. */
export interface SelectAcceleratorOptions {
  /** Whose option `accelerator` is, for messages. Default: `Fabric`. */
  owner?: string;
  /** Whether to say which accelerator a general name (`auto`, `cpu`) became. Default: true. */
  announce?: boolean;
}

/** What `auto` tries, in this order. webgpu is taken only when asked for. */
const AUTO = ["cuda", "cpu", "wasm"] as const;

const announced = new Set<string>();

/**
 * Finds the accelerator of a name. Imports the code of that one only and starts no engine: call its `load` for that.
 *
 * `auto` is the first that works of cuda, cpu and wasm, where cpu means a TensorFlow that `TENSORFLOW_LIB_DIR` names or `deno task setup` has found; `gpu`
 * means cuda; `cpu` is TensorFlow where it is found, else wasm. One line says what a general name became, once a process.
 *
 * @throws {RangeError} for a name that is none
 * @throws {Error} for one that does not work here; the message says why, what to do, and what is available
 *
 * @example
 * ```ts
 * const accelerator = await selectAccelerator("wasm");
 * const { description } = await accelerator.load({});
 * if (!description.startsWith("wasm")) throw new Error(description);
 * ```
 */
export async function selectAccelerator(
  name: string = "auto",
  options: SelectAcceleratorOptions = {},
): Promise<Accelerator> {
  const { owner = "Fabric", announce = true } = options;
  const say = (text: string) => {
    if (!announce || announced.has(text)) return;
    announced.add(text);
    info(text);
  };
  if (!(ACCELERATOR_NAMES as readonly string[]).includes(name)) {
    const meant = closest(String(name), ACCELERATOR_NAMES);
    throw new RangeError(
      `You selected an invalid accelerator name: \`accelerator: ${JSON.stringify(name)}\`. ` +
        (meant ? `Did you mean "${meant}"? ` : "") + `Available names are: ${ACCELERATOR_NAMES.join(", ")}.`,
    );
  }
  if (name === "auto") return await firstThatWorks(say);
  const wanted = (name === "gpu" ? "cuda" : name) as Accelerator["name"];
  const accelerator = await LOADERS[wanted]();
  const probe = await accelerator.probe();
  if (!probe.available) {
    const { reason, remedy } = probe;
    const available = ["auto", ...await availableAccelerators()].map((name) => `"${name}"`).join(", ");
    throw new Error(
      `\`accelerator: "${name}"\` can not run on this system: ${reason}. ${remedy} The following are available and can be ` +
        `passed into the \`accelerator\` option of \`${owner}\`: ${available}.`,
    );
  }
  if (wanted === "cpu" && accelerator === (await import("./cpu.ts")).cpuByWasm) {
    say(`accelerator: cpu is computed by wasm (${probe.detail}); ${await fasterBy()}`);
  }
  return accelerator;
}

async function firstThatWorks(say: (text: string) => void): Promise<Accelerator> {
  for (const name of AUTO) {
    // Nobody asked for TensorFlow: where it has not been set up, no time is spent on looking for it.
    if (name === "cpu" && !await isTensorflowSetUp()) continue;
    const accelerator = await LOADERS[name]();
    const probe = await accelerator.probe();
    if (!probe.available) continue;
    const faster = name === "wasm" && !platformProblem() ? `; ${await fasterBy()}` : "";
    say(`accelerator: ${name} (${probe.detail})${faster}`);
    return accelerator;
  }
  throw new Error(`no accelerator works on this system; tried ${AUTO.join(", ")}`);
}

/** What to do for more speed than wasm's, in words. */
async function fasterBy(): Promise<string> {
  const flags = await missingPermissions();
  if (flags.length === 0) return "`deno task setup` gets TensorFlow, which is faster";
  return `TensorFlow, which is faster, can be found only with ${flags.join(" and ")}`;
}

async function isTensorflowSetUp(): Promise<boolean> {
  if ((await Deno.permissions.query({ name: "ffi" })).state !== "granted") return false;
  return (await findLibrary({ quick: true })).library !== undefined;
}
