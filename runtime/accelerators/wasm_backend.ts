import type { tf } from "../tensor/tf.ts";

/** What a kernel gets and gives: a tensor without its methods. */
export interface TensorInfo {
  dataId: object;
  shape: number[];
  dtype: keyof tf.DataTypeMap;
}

/** An argument of a kernel: most take tensors, some take lists of them, and optional ones may be missing. */
export type KernelInput = TensorInfo | TensorInfo[] | null | undefined;

/** Arguments of a kernel, as tfjs's engine passes them. */
export interface KernelCall {
  inputs: Record<string, KernelInput>;
  // deno-lint-ignore no-explicit-any
  attrs: Record<string, any>;
  backend: WasmBackend;
}

/** A kernel of the wasm backend. */
export type Kernel = (call: KernelCall) => TensorInfo | TensorInfo[];

/** What is used of `BackendWasm` of tfjs-backend-wasm 4.22 and of its Emscripten module; the package exports no types for it. */
export interface WasmBackend {
  readonly wasm: {
    /** Replaced whenever the heap grows: read it anew after every allocation. */
    readonly HEAPU8: Uint8Array;
    /** Replaced by guardHeap. */
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    _BatchMatMul(...numbers: number[]): void;
    _Conv2D(...numbers: number[]): void;
    readonly tfjs: {
      registerTensor(id: number, size: number, pointer: number): void;
      disposeData(id: number): void;
    };
  };
  dataIdNextNumber: number;
  readonly dataIdMap: {
    get(dataId: object): { id: number; memoryOffset: number; shape: number[]; dtype: string; refCount: number };
  };
  makeOutput(shape: number[], dtype: string, pointer?: number, values?: ArrayBufferView | Uint8Array[]): TensorInfo;
  readSync(dataId: object, start?: number, end?: number): tf.BackendValues;
  disposeData(dataId: object, force?: boolean): boolean;
  incRef(dataId: object): void;
}

/** The id by which compiled code knows a tensor. */
export function idOf(backend: WasmBackend, tensor: TensorInfo): number {
  return backend.dataIdMap.get(tensor.dataId).id;
}

/**
 * A view of a tensor's floats on the wasm heap. It is valid until the next allocation, which may grow the heap and detach it:
 * allocate all outputs and temporaries first.
 */
export function floats(backend: WasmBackend, tensor: TensorInfo): Float32Array {
  return new Float32Array(
    backend.wasm.HEAPU8.buffer,
    backend.dataIdMap.get(tensor.dataId).memoryOffset,
    sizeOf(tensor.shape),
  );
}

/** The same for int32 tensors. */
export function integers(backend: WasmBackend, tensor: TensorInfo): Int32Array {
  return new Int32Array(
    backend.wasm.HEAPU8.buffer,
    backend.dataIdMap.get(tensor.dataId).memoryOffset,
    sizeOf(tensor.shape),
  );
}

/** How many elements a shape holds. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, n) => size * n, 1);
}

/** Makes a float32 tensor of zeros. */
export function zeros(backend: WasmBackend, shape: number[]): TensorInfo {
  const out = backend.makeOutput(shape, "float32");
  floats(backend, out).fill(0);
  return out;
}

/** Frees a kernel's temporaries. */
export function release(backend: WasmBackend, ...tensors: TensorInfo[]): void {
  for (const tensor of tensors) backend.disposeData(tensor.dataId);
}
