import { countCudaDevices } from "../../devices/cuda_devices.ts";
import { findLibrary } from "../../tensorflow_library/find_library.ts";
import type { Accelerator, LoadedAccelerator, LoadOptions, Probe } from "../accelerator.ts";
import type { TensorflowBinding } from "./binding.ts";

let loading: { kind: "cpu" | "cuda"; done: Promise<LoadedAccelerator> } | undefined;
let binding: TensorflowBinding | undefined;

/**
 * The processor, computed by TensorFlow through its C API. Found by `findLibrary`; docs/tensorflow.md tells how to get it.
 *
 * Disposing what `load` returns frees nothing: tensors may outlive whoever loaded the engine, so its memory is given back when the
 * process ends.
 */
export const tensorflowCpu: Accelerator = {
  name: "cpu",
  // Not 16-mixed: processors compute float16 slowly, and what is to gain from it bf16-mixed gains.
  capabilities: { precisions: ["32-true", "bf16-mixed", "bf16-true", "16-true", "64-true"], synchronousReadback: true },
  probe: () => probeLibrary("cpu"),
  // deno-lint-ignore require-await
  async deviceCount() {
    return 1;
  },
  load: (options) => load("cpu", options),
};

/** The GPUs of NVIDIA, computed by TensorFlow's build for CUDA. One process uses one; its memory grows on demand. */
export const tensorflowCuda: Accelerator = {
  name: "cuda",
  capabilities: {
    precisions: ["32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true"],
    synchronousReadback: false,
  },
  async probe() {
    const { count, reason } = countCudaDevices();
    if (count > 0) return await probeLibrary("cuda");
    return { available: false, reason, remedy: "Install NVIDIA's driver, or check CUDA_VISIBLE_DEVICES." };
  },
  // deno-lint-ignore require-await
  async deviceCount() {
    return countCudaDevices().count;
  },
  load: (options) => load("cuda", options),
};

/** The binding under tfjs's backend once one of the accelerators is loaded: what records and compiles steps works on it. */
export function loadedBinding(): TensorflowBinding | undefined {
  return binding;
}

async function probeLibrary(kind: "cpu" | "cuda"): Promise<Probe> {
  const setup = `deno task setup${kind === "cuda" ? " --cuda" : ""}`;
  if ((await Deno.permissions.query({ name: "ffi" })).state !== "granted") {
    return {
      available: false,
      reason: "TensorFlow's library is opened by FFI, which this process may not use",
      remedy: "Run it with --allow-ffi.",
    };
  }
  const { library, misses } = await findLibrary({ cuda: kind === "cuda" });
  if (!library) return { available: false, reason: misses.join("; "), remedy: `Run \`${setup}\` to get TensorFlow.` };
  return { available: true, detail: `TensorFlow ${library.version ?? ""} in ${library.directory}`.replace("  ", " ") };
}

// deno-lint-ignore require-await
async function load(kind: "cpu" | "cuda", options: LoadOptions): Promise<LoadedAccelerator> {
  if (loading && loading.kind !== kind) {
    throw new Error(
      `TensorFlow already runs for ${loading.kind} in this process, so it cannot for ${kind}: use another process`,
    );
  }
  loading ??= {
    kind,
    done: start(kind, options).catch((error) => {
      loading = undefined;
      throw error;
    }),
  };
  return loading.done;
}

async function start(kind: "cpu" | "cuda", options: LoadOptions): Promise<LoadedAccelerator> {
  const [{ startTensorflow }, { BACKEND_NAME, installBackend }, { usePrecision }, { startReduceEngine }] = await Promise
    .all([
      import("./start.ts"),
      import("./backend.ts"),
      import("./mixed_precision.ts"),
      import("./reduce_engine.ts"),
    ]);
  const started = await startTensorflow(kind, options);
  try {
    await installBackend(started.binding);
  } catch (error) {
    started.binding[Symbol.dispose]();
    throw error;
  }
  binding = started.binding;
  const { intraOpThreads } = started;
  return {
    backendName: BACKEND_NAME,
    description: `${kind} (TensorFlow ${started.binding.TF_Version}, ${intraOpThreads} thread${
      intraOpThreads === 1 ? "" : "s"
    })`,
    usePrecision: (precision) => usePrecision(started.binding, precision),
    reduceEngine: (address) => (group) =>
      startReduceEngine({ library: started.binding.library, config: started.config }, group, { address }),
    [Symbol.dispose]() {},
  };
}
