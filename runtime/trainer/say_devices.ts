import { deviceLines } from "./device_lines.ts";
import { info, warn } from "../core/messages.ts";
import { countCudaDevices } from "../devices/cuda_devices.ts";
import { processEnvironment } from "../environments/process_environment.ts";
import type { Fabric } from "../fabric/fabric.ts";

const said = new Set<string>();

/** Says, once a process, which accelerators there are and which is used. */
export function sayDevices(fabric: Fabric): void {
  const accelerator = fabric.device.type;
  const { common, own, warning } = deviceLines({
    accelerator,
    gpus: countCudaDevices().count,
    localRank: fabric.localRank,
    visibleGpus: processEnvironment().CUDA_VISIBLE_DEVICES,
  });
  if (said.has(common)) return;
  said.add(common);
  info(common);
  if (own !== undefined) info(own, { everyRank: true });
  if (warning !== undefined) warn("gpu-unused", warning);
}
