const LIBRARIES: Partial<Record<typeof Deno.build.os, readonly string[]>> = {
  linux: ["libcuda.so.1", "libcuda.so"],
  windows: ["nvcuda.dll"],
};

/**
 * Counts the GPUs that the CUDA driver offers to this process (`CUDA_VISIBLE_DEVICES` counts): `cuInit`, then `cuDeviceGetCount`.
 * @param libraries what to open, in this order. Default: the driver's library on this operating system
 * @returns 0 with the reason if there is no driver, no GPU, or no permission for FFI. Never throws or asks
 */
export function countCudaDevices(
  libraries: readonly string[] = LIBRARIES[Deno.build.os] ?? [],
): { count: number; reason: string } {
  if (libraries.length === 0) return { count: 0, reason: `there is no CUDA for ${Deno.build.os}` };
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return { count: 0, reason: "the CUDA driver can be asked only with --allow-ffi" };
  }
  for (const library of libraries) {
    using driver = openDriver(library);
    if (!driver) continue;
    const initialised = driver.symbols.cuInit(0);
    // CUDA_ERROR_NO_DEVICE: a driver without a GPU, or CUDA_VISIBLE_DEVICES hides them all.
    if (initialised === 100) return { count: 0, reason: "the CUDA driver found no GPU" };
    if (initialised !== 0) {
      return { count: 0, reason: `the CUDA driver does not start (cuInit gave error ${initialised})` };
    }
    const count = new Int32Array(1);
    const counted = driver.symbols.cuDeviceGetCount(count);
    if (counted !== 0) {
      return { count: 0, reason: `the CUDA driver cannot count (cuDeviceGetCount gave error ${counted})` };
    }
    return { count: count[0], reason: count[0] > 0 ? "" : "the CUDA driver found no GPU" };
  }
  return { count: 0, reason: `no CUDA driver is installed (${libraries.join(", ")} was not found)` };
}

function openDriver(library: string) {
  try {
    const driver = Deno.dlopen(library, {
      cuInit: { parameters: ["u32"], result: "i32" },
      cuDeviceGetCount: { parameters: ["buffer"], result: "i32" },
    });
    return { symbols: driver.symbols, [Symbol.dispose]: () => driver.close() };
  } catch {
    return undefined;
  }
}
