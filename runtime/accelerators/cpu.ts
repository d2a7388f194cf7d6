import type { Accelerator } from "./accelerator.ts";
import { tensorflowCpu } from "./tensorflow/accelerator.ts";
import { wasm } from "./wasm.ts";

/** The processor through WebAssembly, where there is no TensorFlow. */
export const cpuByWasm: Accelerator = { ...wasm, name: "cpu" };

/** The processor: through TensorFlow where its library is found, else through WebAssembly. */
export async function chooseCpu(): Promise<Accelerator> {
  return (await tensorflowCpu.probe()).available ? tensorflowCpu : cpuByWasm;
}
