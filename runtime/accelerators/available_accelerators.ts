import type { Accelerator } from "./accelerator.ts";
import { LOADERS } from "./registry.ts";

/**
 * The accelerators that work on this machine. Starts no engine.
 *
 * @example
 * ```ts
 * const names = await availableAccelerators();
 * if (!names.includes("wasm")) throw new Error("wasm works everywhere");
 * ```
 */
export async function availableAccelerators(): Promise<Accelerator["name"][]> {
  const names: Accelerator["name"][] = [];
  for (const [name, load] of Object.entries(LOADERS)) {
    if ((await (await load()).probe()).available) names.push(name as Accelerator["name"]);
  }
  return names;
}
