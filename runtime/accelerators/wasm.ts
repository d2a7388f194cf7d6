import type { EventEmitter } from "node:events";
import process from "node:process";
import { tf } from "../tensor/tf.ts";
import type { Accelerator, LoadedAccelerator } from "./accelerator.ts";
import { guardHeap } from "./guard_heap.ts";
import type { WasmBackend } from "./wasm_backend.ts";
import { installWasmKernels } from "./wasm_kernels/install.ts";

let loading: Promise<LoadedAccelerator> | undefined;

/**
 * TensorFlow.js compiled to WebAssembly: nothing to install, the same on every system. One thread a process; ranks use the other
 * cores. It computes in float32. What it does beyond the npm package is listed in docs/accelerators.md.
 *
 * Disposing what `load` returns frees nothing: tensors may outlive whoever loaded the engine, so its memory is given back when the
 * process ends.
 */
export const wasm: Accelerator = {
  name: "wasm",
  capabilities: { precisions: ["32-true"], synchronousReadback: true },
  // deno-lint-ignore require-await
  async probe() {
    return hasSimd()
      ? { available: true, detail: "WebAssembly with SIMD" }
      : { available: true, detail: "WebAssembly without SIMD" };
  },
  // deno-lint-ignore require-await
  async deviceCount() {
    return 1;
  },
  async load() {
    loading ??= start().catch((error) => {
      loading = undefined;
      throw error;
    });
    const loaded = await loading;
    if (tf.getBackend() !== "wasm") await tf.setBackend("wasm");
    return loaded;
  },
};

async function start(): Promise<LoadedAccelerator> {
  await import("npm:@tensorflow/tfjs-backend-wasm@4.22.0");
  const restoreListeners = rememberListeners();
  try {
    if (!await tf.setBackend("wasm")) throw new Error("TensorFlow.js could not start its wasm backend");
  } finally {
    restoreListeners();
  }
  const backend = tf.backend() as unknown as WasmBackend;
  guardHeap(backend);
  installWasmKernels(backend);
  return {
    backendName: "wasm",
    description: `wasm (${hasSimd() ? "SIMD" : "no SIMD"}, 1 thread)`,
    [Symbol.dispose]() {},
  };
}

/** The smallest module that uses a 128-bit vector: what tfjs itself validates to choose its binary. */
function hasSimd(): boolean {
  // deno-fmt-ignore
  const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 15, 26, 11];
  return WebAssembly.validate(new Uint8Array(bytes));
}

/**
 * Emscripten's start-up code adds process-wide listeners that rethrow uncaught errors and lost rejections. They add nothing in Deno
 * but would stand between a program's errors and its own listeners, so they go once the engine runs.
 */
function rememberListeners(): () => void {
  const emitter: EventEmitter = process, events = ["uncaughtException", "unhandledRejection"];
  const before = events.map((event) => emitter.listeners(event));
  return () => {
    for (const [i, event] of events.entries()) {
      for (const listener of emitter.listeners(event)) {
        if (!before[i].includes(listener)) emitter.removeListener(event, listener as () => void);
      }
    }
  };
}
