import type { WasmBackend } from "./wasm_backend.ts";

/** What 32-bit addresses reach. */
const LIMIT = 2 ** 32;

/**
 * Makes an allocation that does not fit an error. The package takes what its allocator returns for an address, and on failure that
 * is zero: tensors would then lie on top of the engine's own data.
 */
export function guardHeap(backend: WasmBackend): void {
  const { wasm } = backend;
  // The first call replaces the function by the compiled one, which would undo ours.
  wasm._free(wasm._malloc(1));
  const allocate = wasm._malloc;
  wasm._malloc = (bytes) => {
    const pointer = bytes < LIMIT ? allocate(bytes) >>> 0 : 0;
    // Near the limit the allocator's arithmetic wraps around and gives addresses whose end lies outside of the heap.
    if (pointer !== 0 && pointer + bytes <= wasm.HEAPU8.length) return pointer;
    const [asked, held] = [bytes, wasm.HEAPU8.length].map((size) => (size / 2 ** 20).toFixed(1));
    throw new RangeError(
      `wasm is out of memory: ${asked} MiB more do not fit into its heap of ${held} MiB, which cannot grow beyond 4096 MiB. ` +
        "Use a smaller batch or model, or free tensors sooner",
    );
  };
}
