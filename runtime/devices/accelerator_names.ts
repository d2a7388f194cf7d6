/** What `--accelerator` takes. `auto` takes the best that there is, `gpu` means `cuda`. */
export const ACCELERATOR_NAMES = ["auto", "cpu", "wasm", "webgpu", "cuda", "gpu"] as const;

/** One of {@linkcode ACCELERATOR_NAMES}. */
export type GivenAccelerator = typeof ACCELERATOR_NAMES[number];

/** An accelerator with its devices: what `auto` and `gpu` are resolved to. */
export type DeviceKind = "cpu" | "wasm" | "webgpu" | "cuda";
