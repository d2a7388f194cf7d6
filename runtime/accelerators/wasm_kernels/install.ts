import { fusedMatMul } from "./fused_mat_mul.ts";
import { matMul } from "./mat_mul.ts";
import { onCpu } from "./cpu_fallback.ts";
import { replaceKernel } from "./registry.ts";

/** Kernels that tfjs has in plain JavaScript but not in WebAssembly, and that no faster version is written for. */
const ON_CPU = [
  "Einsum",
  "RaggedGather",
  "RaggedRange",
  "RaggedTensorToTensor",
  "StaticRegexReplace",
] as const;

/** Gives the started wasm backend the kernels that training needs and it lacks, and faster ones where its own are slow. */
export function installWasmKernels(): void {
  replaceKernel("BatchMatMul", () => matMul);
  replaceKernel("_FusedMatMul", fusedMatMul);
  for (const name of ON_CPU) replaceKernel(name, () => onCpu(name));
}
