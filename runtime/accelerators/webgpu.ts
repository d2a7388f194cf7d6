import { tf } from "../tensor/tf.ts";
import type { Accelerator, LoadedAccelerator } from "./accelerator.ts";

let loading: Promise<LoadedAccelerator> | undefined;

/**
 * Any GPU that Deno's WebGPU finds (Vulkan, Metal, Direct3D 12), also Mesa's lavapipe, which computes on the processor. It computes
 * in float32. Values are read back asynchronously: use `data()`, not `dataSync()`.
 *
 * Disposing what `load` returns frees nothing: tensors may outlive whoever loaded the engine.
 */
export const webgpu: Accelerator = {
  name: "webgpu",
  capabilities: { precisions: ["32-true"], synchronousReadback: false },
  async probe() {
    const adapter = await findAdapter();
    if (adapter) return { available: true, detail: nameOf(adapter) };
    return {
      available: false,
      reason: navigator.gpu ? "Deno's WebGPU finds no adapter" : "this Deno has no WebGPU",
      remedy:
        "Install the driver of your GPU, or, for a software adapter, Mesa's lavapipe (on Debian: apt-get install " +
        "mesa-vulkan-drivers).",
    };
  },
  async deviceCount() {
    return await findAdapter() ? 1 : 0;
  },
  async load() {
    loading ??= start().catch((error) => {
      loading = undefined;
      throw error;
    });
    const loaded = await loading;
    if (tf.getBackend() !== "webgpu") await tf.setBackend("webgpu");
    return loaded;
  },
};

async function start(): Promise<LoadedAccelerator> {
  const adapter = await findAdapter();
  const probe = adapter ? undefined : await webgpu.probe();
  if (probe && !probe.available) throw new Error(`webgpu can not run here: ${probe.reason}. ${probe.remedy}`);
  await import("npm:@tensorflow/tfjs-backend-webgpu@4.22.0");
  if (!await tf.setBackend("webgpu")) throw new Error("TensorFlow.js could not start its webgpu backend");
  return {
    backendName: "webgpu",
    description: `webgpu (${nameOf(adapter!)})`,
    [Symbol.dispose]() {},
  };
}

/** Asks as tfjs's backend will: the adapter named here is the one it uses. */
async function findAdapter(): Promise<GPUAdapter | null> {
  return await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }) ?? null;
}

function nameOf({ info }: GPUAdapter): string {
  const name = info.description || [info.vendor, info.architecture].filter(Boolean).join(" ") || "unnamed adapter";
  return info.isFallbackAdapter ? `${name}, in software` : name;
}
