import { tf } from "../../tensor/tf.ts";
import type { Kernel, KernelInput, TensorInfo, WasmBackend } from "../wasm_backend.ts";

/** What is used of tfjs's plain JavaScript backend. */
interface CpuBackend {
  makeTensorInfo(shape: number[], dtype: string, values: tf.BackendValues): TensorInfo;
  readSync(dataId: object): tf.BackendValues;
  disposeData(dataId: object, force?: boolean): boolean;
}

/**
 * A wasm kernel that computes with the kernel of the same name of tfjs's plain JavaScript backend: inputs are copied out of the
 * wasm heap and outputs into it. Slow but right; for kernels that training seldom meets.
 */
export function onCpu(name: string): Kernel {
  return ({ inputs, attrs, backend }) => {
    const kernel = tf.getKernel(name, "cpu");
    const cpu = tf.findBackend("cpu") as unknown as CpuBackend | null;
    if (!kernel || !cpu) throw new Error(`no plain JavaScript kernel ${name} to stand in for the wasm one`);
    const made: TensorInfo[] = [];
    try {
      const copied = mapInputs(inputs, (tensor) => toCpu(backend, cpu, tensor, made));
      const outputs = kernel.kernelFunc({ inputs: copied as tf.NamedTensorInfoMap, attrs, backend: cpu });
      made.push(...[outputs].flat() as TensorInfo[]);
      return Array.isArray(outputs)
        ? outputs.map((output) => toWasm(backend, cpu, output as TensorInfo))
        : toWasm(backend, cpu, outputs as TensorInfo);
    } finally {
      // An output may share its data with an input (a reshape), hence not by force: each holds one reference.
      for (const tensor of made) cpu.disposeData(tensor.dataId);
    }
  };
}

/** Copies a tensor out of the wasm heap; all that it makes is added to `made`. */
function toCpu(backend: WasmBackend, cpu: CpuBackend, { dataId, shape, dtype }: TensorInfo, made: TensorInfo[]) {
  const values = backend.readSync(dataId);
  const make = (dtype: string, values: tf.BackendValues) => {
    // Some plain kernels ask for the rank, which only whole tensors have.
    const tensor = Object.assign(cpu.makeTensorInfo(shape, dtype, values), { rank: shape.length });
    made.push(tensor);
    return tensor;
  };
  if (dtype !== "complex64") return make(dtype, values);
  const parts = tf.backend_util.splitRealAndImagArrays(values as Float32Array);
  const inputs = { real: make("float32", parts.real), imag: make("float32", parts.imag) };
  const { kernelFunc } = tf.getKernel("Complex", "cpu")!;
  const pair = kernelFunc({
    inputs: inputs as unknown as tf.NamedTensorInfoMap,
    attrs: {},
    backend: cpu,
  }) as TensorInfo;
  made.push(pair);
  return pair;
}

function toWasm(backend: WasmBackend, cpu: CpuBackend, { dataId, shape, dtype }: TensorInfo): TensorInfo {
  let values = cpu.readSync(dataId);
  // The plain kernels keep whatever array was handy; the heap needs exactly the bytes that the type says.
  if (dtype === "float32" && !(values instanceof Float32Array)) values = Float32Array.from(values as Int32Array);
  if (dtype === "int32" && !(values instanceof Int32Array)) values = Int32Array.from(values as Float32Array);
  if (dtype === "bool" && !(values instanceof Uint8Array)) values = Uint8Array.from(values as Float32Array);
  return backend.makeOutput(shape, dtype, undefined, values as ArrayBufferView | Uint8Array[]);
}

/** Inputs are records, or arrays used as such (Einsum). */
function mapInputs(inputs: Record<string, KernelInput>, map: (tensor: TensorInfo) => TensorInfo): unknown {
  const one = (input: KernelInput) => Array.isArray(input) ? input.map(map) : input ? map(input) : input;
  if (Array.isArray(inputs)) return inputs.map(one);
  return Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, one(input)]));
}
