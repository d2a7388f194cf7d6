import { tf } from "../../tensor/tf.ts";
import { type Kernel, type KernelCall, type KernelInput, sizeOf, type WasmBackend } from "../wasm_backend.ts";
import { onCpu } from "./cpu_fallback.ts";
import { replaceKernel } from "./registry.ts";

/** What only an element's place matters to, not its type, and which costs nothing as it is. */
const ANY_TYPE: ReadonlySet<string> = new Set(["Identity", "Reshape", "ExpandDims"]);

/** Kernels of complex numbers alone. */
const COMPLEX = ["Complex", "Real", "Imag", "ComplexAbs", "FFT", "IFFT"] as const;

/**
 * Gives wasm strings and complex numbers: whatever meets one computes with the plain JavaScript kernel. Compiled code knows neither
 * and aborts on strings. A complex tensor lies in the heap as pairs of floats, real part first.
 */
export function installOtherTypes(backend: WasmBackend): void {
  readComplex(backend);
  for (const { kernelName } of tf.getKernelsForBackend("wasm")) {
    if (ANY_TYPE.has(kernelName) || !tf.getKernel(kernelName, "cpu")) continue;
    const plain = onCpu(kernelName);
    replaceKernel(kernelName, (compiled): Kernel => (call) => isOfNumbers(call) ? compiled!(call) : plain(call));
  }
  for (const name of COMPLEX) replaceKernel(name, () => onCpu(name));
}

function isOfNumbers({ inputs, attrs }: KernelCall): boolean {
  for (const name in inputs) {
    if (isOther(inputs[name])) return false;
  }
  return !attrs || (!isOtherType(attrs.dtype) && typeof attrs.value !== "string");
}

function isOther(input: KernelInput): boolean {
  if (!input) return false;
  return Array.isArray(input) ? input.some(isOther) : isOtherType(input.dtype);
}

function isOtherType(dtype: string): boolean {
  return dtype === "complex64" || dtype === "string";
}

/** Teaches the backend (its class: tfjs may make another) to give a complex tensor's values. */
function readComplex(backend: WasmBackend): void {
  const prototype = Object.getPrototypeOf(backend) as WasmBackend, { readSync } = prototype;
  prototype.readSync = function (dataId, start, end) {
    const { dtype, memoryOffset, shape } = this.dataIdMap.get(dataId);
    if (dtype !== "complex64") return readSync.call(this, dataId, start, end);
    const bytes = 2 * Float32Array.BYTES_PER_ELEMENT, last = end || sizeOf(shape);
    const { buffer } = this.wasm.HEAPU8.slice(memoryOffset + (start ?? 0) * bytes, memoryOffset + last * bytes);
    return new Float32Array(buffer as ArrayBuffer);
  };
}
