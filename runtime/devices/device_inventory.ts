import type { DeviceKind } from "./accelerator_names.ts";
import { countCudaDevices } from "./cuda_devices.ts";

/** The devices of one accelerator on this host. */
export interface DeviceInventory {
  readonly accelerator: DeviceKind;
  /** How many there are: what `--devices auto` takes. 0: the accelerator cannot be used here. */
  readonly count: number;
  /** True if several ranks can share a device (the processor, the one WebGPU adapter), so that more ranks than devices are no error. */
  readonly shared: boolean;
  /** Why there are none, as a clause: `libcuda.so.1 was not found`. Empty if there are some. */
  readonly reason: string;
}

/**
 * Counts the devices of an accelerator without loading a tensor library: the processor counts as one, CUDA devices are counted by the driver, a
 * WebGPU adapter is asked for. Never throws: what cannot be counted is 0 with its reason.
 */
export async function countDevices(accelerator: DeviceKind): Promise<DeviceInventory> {
  if (accelerator === "cuda") return { accelerator, shared: false, ...countCudaDevices() };
  if (accelerator === "webgpu") return { accelerator, shared: true, ...await countWebgpuAdapters() };
  return { accelerator, count: 1, shared: true, reason: "" };
}

async function countWebgpuAdapters(): Promise<{ count: number; reason: string }> {
  try {
    const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
    if (!gpu) return { count: 0, reason: "this Deno has no WebGPU" };
    if (await gpu.requestAdapter()) return { count: 1, reason: "" };
    return {
      count: 0,
      reason: "WebGPU found no adapter: install a Vulkan driver (mesa-vulkan-drivers has one without a GPU)",
    };
  } catch (error) {
    return { count: 0, reason: `WebGPU failed: ${error instanceof Error ? error.message : error}` };
  }
}
