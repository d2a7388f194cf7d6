import type { OpAttribute } from "./attributes.ts";
import type { Context } from "./context.ts";
import { AttributeType, DataType, type NumericArray } from "./data_types.ts";
import { isDilatedDepthwise, runDilatedDepthwise } from "./dilated_depthwise.ts";
import { EagerOps, type HandleCall } from "./eager_ops.ts";
import { Later } from "./later.ts";
import type { OpenedLibrary } from "./open_library.ts";
import type { OpObserver, TensorMetadata } from "./op_observer.ts";
import { repairedOp } from "./op_repairs.ts";
import { SavedModels } from "./saved_models.ts";
import type { Status } from "./status.ts";
import { freeStrings, STRING_BYTES, writeStrings } from "./strings.ts";
import type { Api } from "./symbols.ts";
import { dimensions, numericHandle, readHandle } from "./tensor_transfer.ts";

/**
 * What tfjs's `NodeJSKernelBackend` calls instead of its own addon, over TensorFlow's C API. Tensors are numbers to it; each stands
 * for one handle, which is freed by `deleteTensor` and by nothing else.
 */
export class TensorflowBinding implements Disposable {
  readonly TF_FLOAT = DataType.FLOAT;
  readonly TF_INT32 = DataType.INT32;
  readonly TF_INT64 = DataType.INT64;
  readonly TF_BOOL = DataType.BOOL;
  readonly TF_COMPLEX64 = DataType.COMPLEX64;
  readonly TF_STRING = DataType.STRING;
  readonly TF_RESOURCE = DataType.RESOURCE;
  readonly TF_UINT8 = DataType.UINT8;
  readonly TF_ATTR_STRING = AttributeType.STRING;
  readonly TF_ATTR_INT = AttributeType.INT;
  readonly TF_ATTR_FLOAT = AttributeType.FLOAT;
  readonly TF_ATTR_BOOL = AttributeType.BOOL;
  readonly TF_ATTR_TYPE = AttributeType.TYPE;
  readonly TF_ATTR_SHAPE = AttributeType.SHAPE;
  readonly TF_ATTR_RESOURCE = 8;
  /** TensorFlow's version, e.g. `2.21.0`. */
  readonly TF_Version: string;
  readonly library: OpenedLibrary;
  readonly status: Status;
  readonly context: Context;
  /** Who sees what passes; undefined: nobody. */
  observer: OpObserver | undefined;

  readonly #api: Api;
  readonly #handles = new Map<number, Deno.PointerValue>();
  readonly #models: SavedModels;
  readonly #ops: EagerOps;
  #later: Later | undefined;
  #nextId = 0;

  /** Takes over status and context. */
  constructor(library: OpenedLibrary, status: Status, context: Context) {
    this.library = library;
    this.status = status;
    this.context = context;
    this.#api = library.api;
    this.#ops = new EagerOps(library.api, status, context);
    this.TF_Version = library.version;
    this.#models = new SavedModels(library, status);
  }

  /**
   * Makes a tensor of values, which are copied: to the device, except int32 and strings, which TensorFlow's kernels want in memory.
   * @param values of the type that `data_types.ts` lists for `dataType`; for strings an array of their bytes
   * @throws TypeError or RangeError for values of another type or number
   */
  createTensor(
    shape: readonly number[],
    dataType: number,
    values: NumericArray | readonly Uint8Array<ArrayBuffer>[],
  ): number {
    values = this.observer?.creating?.({ shape, dataType, values }) ?? values;
    let handle: Deno.PointerValue;
    if (dataType === DataType.STRING) handle = this.#stringHandle(shape, values as readonly Uint8Array<ArrayBuffer>[]);
    else {
      handle = numericHandle(this.library, this.status, { shape, dataType, values: values as NumericArray });
      if (this.context.onGpu && dataType !== DataType.INT32) handle = this.#toDevice(handle);
    }
    const id = this.#adopt(handle);
    this.observer?.created?.(id);
    return id;
  }

  /** Frees a tensor. @throws RangeError if it was freed before */
  deleteTensor(id: number): void {
    const handle = this.handleOf(id);
    if (this.observer?.deleting?.(id)) return;
    this.#handles.delete(id);
    this.#api.TFE_DeleteTensorHandle(handle);
  }

  /** Copies a tensor's values, waiting until they are computed. Of complex numbers real and imaginary parts alternate. */
  tensorDataSync(id: number): NumericArray | Uint8Array<ArrayBuffer>[] {
    const handle = this.handleOf(id);
    this.observer?.reading?.(id);
    return readHandle(this.#api, this.status, handle);
  }

  /**
   * Runs one op now.
   * @returns the tensors it made, which belong to the caller
   * @throws Error that names the op, with TensorFlow's message; nothing is left behind
   */
  executeOp(
    name: string,
    attributes: readonly OpAttribute[],
    inputs: readonly number[],
    numOutputs: number,
  ): TensorMetadata[] {
    if (isDilatedDepthwise(name, attributes)) return runDilatedDepthwise(this, { attributes, inputs });
    name = repairedOp(name, attributes);
    const handles = this.execute(name, { attributes, inputs: inputs.map((id) => this.handleOf(id)), numOutputs });
    const outputs = handles.map((handle) => this.#describe(handle));
    this.observer?.executed?.({ name, attributes, inputs, outputs });
    return outputs;
  }

  /** As `executeOp`, with handles in place of tensors: unseen by the observer, and what comes back belongs to the caller. */
  execute(name: string, call: HandleCall): Deno.PointerValue[] {
    return this.#ops.execute(name, call);
  }

  /**
   * As `execute`, but TensorFlow runs it on a thread of its own, after all that was given to it in this way before. Blocks while two are
   * not done. An op that fails makes whoever reads its outputs throw, and the first call of this method after that was noted.
   */
  executeLater(name: string, call: HandleCall): Deno.PointerValue[] {
    return (this.#later ??= new Later(this.#api, this.status, this.context)).execute(name, call);
  }

  /** The TFE_TensorHandle of a tensor; it stays the tensor's. @throws RangeError if there is no such tensor (any more) */
  handleOf(id: number): Deno.PointerValue {
    const handle = this.#handles.get(id);
    if (handle === undefined) throw new RangeError(`tensor ${id} is not there: it was deleted before, or never made`);
    return handle;
  }

  /** The shape of a tensor. @throws RangeError if there is no such tensor (any more) */
  shapeOf(id: number): number[] {
    return this.#shapeOf(this.handleOf(id));
  }

  /** True as long as a tensor was not deleted. */
  has(id: number): boolean {
    return this.#handles.has(id);
  }

  /** Gives back what is kept for an op that will not run again: a function that is about to be removed. */
  forget(name: string): void {
    this.#ops.forget(name);
    this.#later?.forget(name);
  }

  /**
   * Makes a tensor of a handle, which it takes over.
   * @param shape if it is known: TensorFlow would have to wait for a value that comes later
   */
  adoptHandle(handle: Deno.PointerValue, shape?: readonly number[]): TensorMetadata {
    return this.#describe(handle, shape);
  }

  /** Gives a tensor another handle of the same type and shape, which it takes over; the one before is freed. */
  replaceHandle(id: number, handle: Deno.PointerValue): void {
    const before = this.handleOf(id);
    this.#handles.set(id, handle);
    if (before !== handle) this.#api.TFE_DeleteTensorHandle(before);
  }

  /** Loads a SavedModel. @returns its number, for `runSavedModel` and `deleteSavedModel` */
  loadSavedModel(directory: string, tags: string): number {
    return this.#models.load(directory, tags);
  }

  deleteSavedModel(id: number): void {
    this.#models.delete(id);
  }

  /** Runs a SavedModel; the names are comma-separated, e.g. `serving_default_x:0`. */
  runSavedModel(id: number, inputs: readonly number[], inputNames: string, outputNames: string): TensorMetadata[] {
    const names = (list: string) => list.split(",").filter(Boolean);
    return this.#models.run(id, {
      inputs: inputs.map((input) => this.handleOf(input)),
      inputNames: names(inputNames),
      outputNames: names(outputNames),
    }).map((handle) => this.#describe(handle));
  }

  getNumOfSavedModels(): number {
    return this.#models.count;
  }

  /** How many tensors there are: what tests compare before and after. */
  getNumOfTensors(): number {
    return this.#handles.size;
  }

  isUsingGpuDevice(): boolean {
    return this.context.onGpu;
  }

  /** Frees everything, tensors included. Nothing may be called afterwards. */
  [Symbol.dispose](): void {
    this.#later?.[Symbol.dispose]();
    for (const handle of this.#handles.values()) this.#api.TFE_DeleteTensorHandle(handle);
    this.#handles.clear();
    this.#ops[Symbol.dispose]();
    this.#models[Symbol.dispose]();
    this.context[Symbol.dispose]();
    this.status[Symbol.dispose]();
  }

  #adopt(handle: Deno.PointerValue): number {
    this.#handles.set(this.#nextId, handle);
    return this.#nextId++;
  }

  #describe(handle: Deno.PointerValue, known?: readonly number[]): TensorMetadata {
    const shape = known ? [...known] : this.#shapeOf(handle);
    return { id: this.#adopt(handle), shape, dtype: this.#api.TFE_TensorHandleDataType(handle) };
  }

  #shapeOf(handle: Deno.PointerValue): number[] {
    const api = this.#api, status = this.status.pointer;
    const shape = new Array<number>(api.TFE_TensorHandleNumDims(handle, status));
    for (let i = 0; i < shape.length; i++) shape[i] = Number(api.TFE_TensorHandleDim(handle, i, status));
    return shape;
  }

  #toDevice(handle: Deno.PointerValue): Deno.PointerValue {
    const { pointer, device } = this.context;
    const copy = this.#api.TFE_TensorHandleCopyToDevice(handle, pointer, device, this.status.pointer);
    this.#api.TFE_DeleteTensorHandle(handle);
    this.status.check("cannot copy a tensor to its device");
    return copy;
  }

  /**
   * The C API frees the array of a tensor that it allocated, but not the strings in it. So these go through a copy that TensorFlow
   * itself makes, and frees whole, whoever is the last to use it.
   */
  #stringHandle(shape: readonly number[], values: readonly Uint8Array<ArrayBuffer>[]): Deno.PointerValue {
    const count = shape.reduce((product, size) => product * size, 1);
    if (!Array.isArray(values) || !(values as unknown[]).every((value) => value instanceof Uint8Array)) {
      throw new TypeError("a tensor of strings is made of an array of Uint8Array, the bytes of each string");
    }
    if (values.length !== count) {
      throw new RangeError(
        `a tensor of strings of shape [${shape}] has ${count} elements, but ${values.length} are given`,
      );
    }
    const api = this.#api;
    const bytes = BigInt(count * STRING_BYTES);
    const made = api.TF_AllocateTensor(DataType.STRING, dimensions(shape), shape.length, bytes);
    let temporary: Deno.PointerValue = null;
    try {
      writeStrings(api, made, values);
      temporary = api.TFE_NewTensorHandle(made, this.status.pointer);
      this.status.check("cannot make a tensor of strings");
      const attributes = [{ name: "T", type: AttributeType.TYPE, value: DataType.STRING }];
      return this.execute("DeepCopy", { attributes, inputs: [temporary], numOutputs: 1 })[0];
    } finally {
      if (temporary) api.TFE_DeleteTensorHandle(temporary);
      freeStrings(api, made);
      api.TF_DeleteTensor(made);
    }
  }
}
