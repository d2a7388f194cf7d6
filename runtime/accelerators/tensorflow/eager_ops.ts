import { type AttributeSetters, eagerSetters, type OpAttribute, setAttribute } from "./attributes.ts";
import type { Context } from "./context.ts";
import type { Status } from "./status.ts";
import { type Api, cString } from "./symbols.ts";

/** An op or function on handles, which stay the caller's. */
export interface HandleCall {
  readonly attributes?: readonly OpAttribute[];
  readonly inputs: readonly Deno.PointerValue[];
  readonly numOutputs: number;
}

/**
 * Executes ops and functions on handles. One TFE_Op a name is kept, and reset after each use: making one costs more than many an op. A TFE_Op
 * belongs to the executor under which it was made or reset, so each executor needs ops of its own.
 */
export class EagerOps implements Disposable {
  readonly #api: Api;
  readonly #status: Status;
  readonly #context: Context;
  readonly #setters: AttributeSetters;
  readonly #ops = new Map<string, Deno.PointerValue>();
  readonly #outputCount = new Int32Array(1);
  #outputs = new BigUint64Array(16);

  constructor(api: Api, status: Status, context: Context) {
    this.#api = api;
    this.#status = status;
    this.#context = context;
    this.#setters = eagerSetters(api, status);
  }

  /** @returns the outputs, which are the caller's. @throws Error that names the op, with TensorFlow's message; nothing is left behind */
  execute(name: string, { attributes = [], inputs, numOutputs }: HandleCall): Deno.PointerValue[] {
    const api = this.#api, status = this.#status, opName = cString(name);
    let op = this.#ops.get(name);
    if (op === undefined) {
      op = api.TFE_NewOp(this.#context.pointer, opName, status.pointer);
      status.check(`op ${name}`);
      this.#ops.set(name, op);
    }
    if (this.#outputs.length < numOutputs) this.#outputs = new BigUint64Array(2 * numOutputs);
    const outputs = this.#outputs;
    try {
      for (let i = 0; i < inputs.length; i++) {
        api.TFE_OpAddInput(op, inputs[i], status.pointer);
        status.check(`op ${name}, input ${i}`);
      }
      for (const attribute of attributes) setAttribute(this.#setters, op, attribute);
      this.#outputCount[0] = numOutputs;
      api.TFE_Execute(op, outputs, this.#outputCount, status.pointer);
      status.check(`op ${name}`);
    } finally {
      // At once, not before the next use: an op holds on to its inputs' memory.
      api.TFE_OpReset(op, opName, null, status.pointer);
    }
    const handles = new Array<Deno.PointerValue>(this.#outputCount[0]);
    for (let i = 0; i < handles.length; i++) handles[i] = Deno.UnsafePointer.create(outputs[i]);
    return handles;
  }

  /** Gives back what is kept for an op that will not run again: a function that is about to be removed. */
  forget(name: string): void {
    const op = this.#ops.get(name);
    if (op) this.#api.TFE_DeleteOp(op);
    this.#ops.delete(name);
  }

  [Symbol.dispose](): void {
    for (const op of this.#ops.values()) this.#api.TFE_DeleteOp(op);
    this.#ops.clear();
  }
}
