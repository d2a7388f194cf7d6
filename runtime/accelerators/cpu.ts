import type { Accelerator } from "./accelerator.ts";
import { wasm } from "./wasm.ts";

/** The processor. It computes through WebAssembly; the name stays when a native engine takes over. */
export const cpu: Accelerator = { ...wasm, name: "cpu" };
