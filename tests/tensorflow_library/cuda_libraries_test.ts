import assert from "node:assert/strict";
import { cudaLibraries } from "../../runtime/tensorflow_library/cuda_libraries.ts";

Deno.test("the CUDA libraries beside TensorFlow are opened each after those that it needs", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const files = {
      cublas: ["libcublas.so.12", "libcublasLt.so.12", "libnvblas.so.12"],
      cuda_runtime: ["libcudart.so.12"],
      cudnn: ["libcudnn.so.9", "libcudnn_ops.so.9", "libcudnn.so"],
      cusolver: ["libcusolver.so.11", "libcusolverMg.so.11"],
    };
    for (const [name, libraries] of Object.entries(files)) {
      await Deno.mkdir(`${folder}/nvidia/${name}/lib`, { recursive: true });
      for (const library of libraries) await Deno.writeTextFile(`${folder}/nvidia/${name}/lib/${library}`, "");
    }
    await Deno.writeTextFile(`${folder}/nvidia/__init__.py`, "");
    await Deno.mkdir(`${folder}/tensorflow`);
    const names = cudaLibraries(`${folder}/tensorflow`).map((path) => path.slice(path.lastIndexOf("/") + 1));
    assert.deepEqual(names, [
      "libcudart.so.12",
      "libcublasLt.so.12",
      "libcublas.so.12",
      "libcusolver.so.11",
      "libcudnn.so.9",
    ]);
    assert.deepEqual(cudaLibraries(`${folder}/elsewhere/tensorflow`), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
