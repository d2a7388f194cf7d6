import { tf } from "../../tensor/tf.ts";
import type { Kernel, KernelCall, TensorInfo } from "../wasm_backend.ts";

/** A kernel's new function, made from the one that tfjs ships, if it ships one. */
export type KernelMaker = (shipped: Kernel | undefined) => Kernel;

/**
 * Registers `make` as the wasm backend's kernel `name`, in place of a shipped one. The shipped setup still runs, should the
 * backend be made a second time.
 */
export function replaceKernel(name: string, make: KernelMaker): void {
  const shipped = tf.getKernel(name, "wasm");
  if (shipped) tf.unregisterKernel(name, "wasm");
  tf.registerKernel({
    kernelName: name,
    backendName: "wasm",
    setupFunc: shipped?.setupFunc,
    kernelFunc: make(shipped?.kernelFunc as unknown as Kernel | undefined) as unknown as tf.KernelFunc,
  });
}

/** Runs a registered kernel of the wasm backend and returns its only output, which the caller has to release. */
export function runKernel(name: string, call: KernelCall): TensorInfo {
  const kernel = tf.getKernel(name, "wasm");
  if (!kernel) throw new Error(`the wasm backend has no kernel ${name}`);
  return (kernel.kernelFunc as unknown as Kernel)(call) as TensorInfo;
}
