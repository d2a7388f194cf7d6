import type { AcceleratorName } from "../accelerators/accelerator.ts";
import { selectAccelerator } from "../accelerators/select_accelerator.ts";
import { Device } from "./device.ts";

/**
 * Makes an accelerator TensorFlow.js's backend, for programs that use no Fabric.
 * @throws TypeError for an unknown name; Error for one that this machine lacks, listing those it has
 *
 * @example
 * ```ts
 * const device = await loadAccelerator("wasm");
 * console.log(`${device}`); // wasm:0
 * ```
 */
export async function loadAccelerator(name: AcceleratorName = "auto"): Promise<Device> {
  const accelerator = await selectAccelerator(name);
  await accelerator.load({});
  return new Device(accelerator.name, 0);
}
