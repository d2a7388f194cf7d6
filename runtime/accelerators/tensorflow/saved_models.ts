import type { OpenedLibrary } from "./open_library.ts";
import type { Status } from "./status.ts";

/** sizeof(TF_Output): a pointer and an int, padded. */
const OUTPUT_BYTES = 16;

/** The sessions of the SavedModels that are loaded. */
export class SavedModels {
  readonly #library: OpenedLibrary;
  readonly #status: Status;
  readonly #loaded = new Map<number, { session: Deno.PointerValue; graph: Deno.PointerValue }>();
  #next = 0;

  constructor(library: OpenedLibrary, status: Status) {
    this.#library = library;
    this.#status = status;
  }

  get count(): number {
    return this.#loaded.size;
  }

  /**
   * @param tags comma-separated, e.g. `serve`
   * @throws Error with TensorFlow's message if there is no such model
   */
  load(directory: string, tags: string): number {
    const { api } = this.#library;
    const names = tags.split(",").map((tag) => tag.trim()).filter(Boolean).map(nulTerminated);
    const graph = api.TF_NewGraph();
    const options = api.TF_NewSessionOptions();
    const session = api.TF_LoadSessionFromSavedModel(
      options,
      null,
      nulTerminated(directory),
      pointers(names.map((name) => Deno.UnsafePointer.of(name))),
      names.length,
      graph,
      null,
      this.#status.pointer,
    );
    api.TF_DeleteSessionOptions(options);
    try {
      this.#status.check("failed to load SavedModel");
    } catch (error) {
      api.TF_DeleteGraph(graph);
      throw error;
    }
    this.#loaded.set(this.#next, { session, graph });
    return this.#next++;
  }

  /** @throws RangeError if there is no such model */
  delete(id: number): void {
    const { session, graph } = this.#get(id);
    const { api } = this.#library;
    this.#loaded.delete(id);
    api.TF_DeleteSession(session, this.#status.pointer);
    api.TF_DeleteGraph(graph);
    this.#status.check("failed to delete SavedModel");
  }

  /**
   * Runs a model.
   * @param run handles by the names of the inputs (`serving_default_x:0`), and the names of the outputs
   * @returns new handles, which belong to the caller
   * @throws RangeError if there is no such model or the graph has no such operation, Error if TensorFlow cannot run it
   */
  run(
    id: number,
    run: { inputs: readonly Deno.PointerValue[]; inputNames: readonly string[]; outputNames: readonly string[] },
  ): Deno.PointerValue[] {
    const { session, graph } = this.#get(id);
    const { api } = this.#library;
    const { inputs, inputNames, outputNames } = run;
    if (inputNames.length !== inputs.length) {
      throw new RangeError(`${inputs.length} tensors are given for the ${inputNames.length} inputs [${inputNames}]`);
    }
    const sources = this.#outputs(graph, inputNames), targets = this.#outputs(graph, outputNames);
    const tensors: Deno.PointerValue[] = [];
    try {
      for (const handle of inputs) {
        tensors.push(api.TFE_TensorHandleResolve(handle, this.#status.pointer));
        this.#status.check("cannot read an input of a SavedModel");
      }
      const results = new BigUint64Array(outputNames.length);
      api.TF_SessionRun(
        session,
        null,
        sources,
        pointers(tensors),
        inputs.length,
        targets,
        results,
        outputNames.length,
        null,
        0,
        null,
        this.#status.pointer,
      );
      this.#status.check("session failed to run");
      return Array.from(results, (value) => {
        const tensor = Deno.UnsafePointer.create(value);
        const handle = api.TFE_NewTensorHandle(tensor, this.#status.pointer);
        api.TF_DeleteTensor(tensor);
        this.#status.check("cannot keep an output of a SavedModel");
        return handle;
      });
    } finally {
      for (const tensor of tensors) api.TF_DeleteTensor(tensor);
    }
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#loaded.keys()]) this.delete(id);
  }

  #get(id: number) {
    const model = this.#loaded.get(id);
    if (!model) throw new RangeError(`SavedModel ID not found: ${id} was deleted or never loaded`);
    return model;
  }

  /** An array of TF_Output for names such as `StatefulPartitionedCall:0`. */
  #outputs(graph: Deno.PointerValue, names: readonly string[]): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(OUTPUT_BYTES * names.length), view = new DataView(bytes.buffer);
    for (const [i, name] of names.entries()) {
      const [operation, index = "0"] = name.split(":");
      const pointer = this.#library.api.TF_GraphOperationByName(graph, nulTerminated(operation));
      if (!pointer) throw new RangeError(`the SavedModel's graph has no operation ${operation}`);
      view.setBigUint64(OUTPUT_BYTES * i, Deno.UnsafePointer.value(pointer), true);
      view.setInt32(OUTPUT_BYTES * i + 8, Number(index || 0), true);
    }
    return bytes;
  }
}

function nulTerminated(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}

function pointers(values: readonly Deno.PointerValue[]): BigUint64Array<ArrayBuffer> {
  return BigUint64Array.from(values, (value) => Deno.UnsafePointer.value(value));
}
