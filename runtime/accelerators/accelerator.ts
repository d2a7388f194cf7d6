import type { StartReduceEngine } from "../comm/reduce_engine.ts";
import type { PrecisionInUse } from "../precision/precision_in_use.ts";
import type { Precision } from "../precision/precision.ts";

/** Names a user may give. `gpu` means cuda. */
export type AcceleratorName = "auto" | "cpu" | "wasm" | "webgpu" | "cuda" | "gpu";

/** What one kind of hardware (or engine) offers. One file each, loaded only when chosen. */
export interface Accelerator {
  readonly name: "cpu" | "wasm" | "webgpu" | "cuda";
  /** Whether it can work here, and if not, why and what to do. Cheap: loads nothing big. */
  probe(): Promise<Probe>;
  /** How many devices there are, without starting the engine. */
  deviceCount(): Promise<number>;
  /** What it can do. Known without loading. */
  readonly capabilities: Capabilities;
  /** Makes it tfjs's backend. Idempotent. @throws with what is missing */
  load(options: LoadOptions): Promise<LoadedAccelerator>;
}

export type Probe = { available: true; detail: string } | { available: false; reason: string; remedy: string };

export interface Capabilities {
  readonly precisions: readonly Precision[];
  /** Reading a tensor back is a copy within the process, so `dataSync` costs no wait. */
  readonly synchronousReadback: boolean;
}

export interface LoadOptions {
  /** Which device of the accelerator, e.g. the GPU's index. Default: 0. */
  deviceIndex?: number;
  /** Ranks on this host, to share its cores among. Default: 1. */
  localWorldSize?: number;
}

export interface LoadedAccelerator extends Disposable {
  /** tfjs's name of the backend, e.g. `wasm`. */
  readonly backendName: string;
  /** For people: `wasm (SIMD, 1 thread)`. */
  readonly description: string;
  /** Computes in one of the accelerator's precisions until the result is disposed of. Missing where that is `32-true` alone. */
  usePrecision?(precision: Precision): PrecisionInUse;
  /**
   * What starts its engine's own way of reducing arrays between ranks. Missing where it has none.
   * @param address where other hosts reach this one, if there are others
   */
  reduceEngine?(address?: string): StartReduceEngine;
}
