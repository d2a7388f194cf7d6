import type { DeviceKind } from "../runtime/devices/accelerator_names.ts";
import { countDevices, type DeviceInventory } from "../runtime/devices/device_inventory.ts";
import { processEnvironment } from "../runtime/environments/process_environment.ts";
import { configurationFrom } from "../runtime/tensorflow_library/configuration_from.ts";
import { configureTensorflow } from "../runtime/tensorflow_library/configure.ts";
import { findLibrary } from "../runtime/tensorflow_library/find_library.ts";

/** Counts devices that ranks can compute on: GPUs only where there is a TensorFlow for them, which is looked for only where there are GPUs. */
export async function countUsableDevices(accelerator: DeviceKind): Promise<DeviceInventory> {
  const inventory = await countDevices(accelerator);
  if (accelerator !== "cuda" || inventory.count === 0) return inventory;
  configureTensorflow(configurationFrom(processEnvironment()));
  const { library, misses } = await findLibrary({ cuda: true });
  if (library) return inventory;
  const reason = `there is no TensorFlow for CUDA (${misses.join("; ")}): \`deno task setup --cuda\` gets it`;
  return { ...inventory, count: 0, reason };
}
