/** The CUDA libraries that TensorFlow opens by name, each after those that it needs itself. */
const IN_ORDER = [
  "libcudart.so",
  "libnvrtc.so",
  "libnvJitLink.so",
  "libcublasLt.so",
  "libcublas.so",
  "libcusparse.so",
  "libcusolver.so",
  "libcufft.so",
  "libcurand.so",
  "libcupti.so",
  "libcudnn.so",
  "libnccl.so",
] as const;

/**
 * The CUDA libraries that pip or `setup` put beside a TensorFlow (`../nvidia/NAME/lib`), in the order in which they are to be opened.
 * Empty where the system's own are to be used.
 */
export function cudaLibraries(tensorflow: string): string[] {
  const nvidia = `${tensorflow}/../nvidia`, paths: string[] = [];
  for (const name of entries(nvidia)) {
    for (const file of entries(`${nvidia}/${name}/lib`)) paths.push(`${nvidia}/${name}/lib/${file}`);
  }
  // With a version number behind the name: `libcudnn.so.9`, and neither `libcudnn_ops.so.9` nor the linker's `libcudnn.so`.
  return IN_ORDER.flatMap((name) =>
    paths.filter((path) => path.slice(path.lastIndexOf("/") + 1).startsWith(`${name}.`))
  );
}

function entries(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch {
    return [];
  }
}
