import type { Accelerator, AcceleratorName } from "./accelerator.ts";

/** Every name that a user may give, in the order in which messages list them. */
export const ACCELERATOR_NAMES: readonly AcceleratorName[] = ["auto", "cpu", "wasm", "webgpu", "cuda", "gpu"];

/** Imports one accelerator's file, and with it nothing of the others. */
export const LOADERS: Readonly<Record<Accelerator["name"], () => Promise<Accelerator>>> = {
  cpu: async () => await (await import("./cpu.ts")).chooseCpu(),
  wasm: async () => (await import("./wasm.ts")).wasm,
  webgpu: async () => (await import("./webgpu.ts")).webgpu,
  cuda: async () => (await import("./tensorflow/accelerator.ts")).tensorflowCuda,
};
