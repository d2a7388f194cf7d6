import type { AcceleratorName } from "../accelerators/accelerator.ts";
import { selectAccelerator } from "../accelerators/select_accelerator.ts";
import { processEnvironment } from "../environments/process_environment.ts";
import { configurationFrom } from "../tensorflow_library/configuration_from.ts";
import { configureTensorflow } from "../tensorflow_library/configure.ts";
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
  configureTensorflow(configurationFrom(processEnvironment()));
  const accelerator = await selectAccelerator(name);
  await accelerator.load({});
  return new Device(accelerator.name, 0);
}
