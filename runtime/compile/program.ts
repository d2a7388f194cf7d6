import type { TensorflowBinding } from "../accelerators/tensorflow/binding.ts";
import { DataType } from "../accelerators/tensorflow/data_types.ts";
import { numericHandle, readHandle } from "../accelerators/tensorflow/tensor_transfer.ts";
import { gradientOf, setGradient, zeroGradients } from "../tensor/gradients.ts";
import type { tf } from "../tensor/tf.ts";
import { buildPart, type BuiltPart, type PackedNumbers, type PartInput } from "./build_part.ts";
import { ModeChoice, type ModeChoiceOptions } from "./mode_choice.ts";
import { ends, neededOps } from "./needed_ops.ts";
import { idOf, isShared, tensorOf } from "./node_backend.ts";
import type { RecordedOp, Recording, Source } from "./recording.ts";
import { ResultPlace } from "./recorder.ts";

type Handle = Deno.PointerValue;

/** A recorded step that can be run: a function for each part, and what happens around them. */
export class Program implements Disposable {
  readonly recording: Recording;
  /** How many ops the functions hold. */
  readonly opCount: number;
  readonly #binding: TensorflowBinding;
  readonly #parts: (BuiltPart & { mode: ModeChoice })[];
  readonly #packed: { numbers: PackedNumbers; integers: PackedNumbers }[];
  readonly #captured: number[];

  /**
   * @param args the arguments of the call that was recorded, or others of the same types
   * @throws Error that names the op which does not go into a graph
   */
  constructor(
    binding: TensorflowBinding,
    recording: Recording,
    options: { args: readonly tf.Tensor[]; mode: ModeChoiceOptions },
  ) {
    this.#binding = binding;
    this.recording = recording;
    this.#packed = recording.actions.map((_, part) => ({
      numbers: { kind: "numbers", part },
      integers: { kind: "packedIntegers", part },
    }));
    const ops = neededOps(recording);
    this.opCount = ops.length;
    this.#captured = [
      ...new Set(
        [...ops.flatMap((op) => op.inputs), ...ends(recording)].flatMap((source) =>
          source.kind === "captured" ? [source.id] : []
        ),
      ),
    ];
    const typeOf = (source: Source) =>
      source.kind === "exchanged"
        ? DataType.FLOAT
        : binding.library.api.TFE_TensorHandleDataType(this.#outside(source, options.args));
    this.#parts = [];
    try {
      for (const [part, outputs] of outputsOf(recording, ops).entries()) {
        const built = buildPart(binding, {
          recording,
          ops: ops.filter((op) => op.part === part),
          outputs,
          packed: this.#packed,
          typeOf,
        });
        // What follows an exchange must be computed alike on all ranks, whatever each of them chose.
        this.#parts.push({ ...built, mode: new ModeChoice(part === 0 ? options.mode : { compile: "exact" }) });
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** True as long as what it took from outside is there. */
  get isUsable(): boolean {
    return this.#captured.every((id) => this.#binding.has(id));
  }

  /** How its parts are run, for people, as soon as that is settled. */
  get settled(): string | undefined {
    return this.#parts[0].mode.settled;
  }

  /** Runs the step. @returns what it returns; the tensors in it are the caller's scope's */
  async run(args: readonly tf.Tensor[]): Promise<unknown> {
    const { recording } = this;
    const values = new Map<PartInput, Handle>(), owned = new Set<Handle>();
    // What is outside is borrowed: it stays its tensor's.
    const handleOf = (source: PartInput) => values.get(source) ?? this.#outside(source as Source, args);
    const own = (source: PartInput, handle: Handle) => {
      values.set(source, handle);
      owned.add(handle);
    };
    try {
      for (const [index, part] of this.#parts.entries()) {
        this.#readNumbers(index, own);
        const outputs = part.mode.run(part.function, part.inputs.map(handleOf));
        for (const [i, handle] of outputs.entries()) own(part.outputs[i], handle);
        const exchange = recording.exchanges[index];
        if (!exchange) continue;
        const read = exchange.sources.map((source) => this.#read(handleOf(source)));
        const results = await exchange.run(read);
        for (const [i, source] of exchange.results.entries()) own(source, this.#handle(results[i]));
      }
      for (const { source, inspect } of recording.checks) inspect(this.#read(handleOf(source))[0]);
      const returned = this.#commit(handleOf, owned);
      for (const run of recording.afterwards) run();
      return returned;
    } finally {
      for (const handle of owned) this.#binding.library.api.TFE_DeleteTensorHandle(handle);
    }
  }

  [Symbol.dispose](): void {
    for (const part of this.#parts) part.function[Symbol.dispose]();
  }

  #readNumbers(part: number, own: (source: PartInput, handle: Handle) => void): void {
    const numbers: number[] = [], integers: Int32Array[] = [];
    for (const action of this.recording.actions[part]) {
      if (action.kind === "effect") action.run();
      else if (action.kind === "number") numbers.push(action.read());
      else integers.push(action.read());
    }
    if (numbers.length > 0) own(this.#packed[part].numbers, this.#handle(Float32Array.from(numbers)));
    if (integers.length > 0) {
      const all = new Int32Array(integers.reduce((sum, { length }) => sum + length, 0));
      integers.reduce((offset, values) => (all.set(values, offset), offset + values.length), 0);
      own(this.#packed[part].integers, this.#handle(all));
    }
  }

  /** The handle of a value that was there before the step. */
  #outside(source: Source, args: readonly tf.Tensor[]): Handle {
    return this.#binding.handleOf(this.#outsideId(source, args));
  }

  #outsideId(source: Source, args: readonly tf.Tensor[]): number {
    switch (source.kind) {
      case "argument":
        return idOf(args[source.index]);
      case "variable":
        return idOf(source.variable);
      case "gradient":
        return idOf(gradientOf(source.variable)!);
      case "captured":
        return source.id;
      default:
        throw new Error(`a value of kind ${source.kind} is used before it is made`);
    }
  }

  /** Puts the new values in place of the old ones, and makes tensors of the results. */
  #commit(handleOf: (source: Source) => Handle, owned: Set<Handle>): unknown {
    const { recording } = this, binding = this.#binding;
    const take = (source: Source): Handle => {
      const handle = handleOf(source);
      if (owned.delete(handle)) return handle;
      const copy = binding.library.api.TFE_TensorHandleCopySharingTensor(handle, binding.status.pointer);
      binding.status.check("cannot share a tensor");
      return copy;
    };
    // All are taken before the first is put in place: two variables may have been exchanged.
    const variables = [...recording.variables].map(([variable, source]) => [variable, take(source)] as const);
    const gradients = [...recording.gradients].map(([variable, source]) =>
      [variable, source === undefined ? undefined : take(source)] as const
    );
    const results = recording.results.map(({ source }) => take(source));
    for (const [variable, handle] of variables) {
      if (!isShared(variable)) {
        binding.replaceHandle(idOf(variable), handle);
        continue;
      }
      const value = tensorOf(binding.adoptHandle(handle));
      variable.assign(value);
      value.dispose();
    }
    for (const [variable, handle] of gradients) {
      const before = gradientOf(variable);
      if (handle === undefined) zeroGradients([variable]);
      else if (before && !isShared(before)) binding.replaceHandle(idOf(before), handle);
      else setGradient(variable, tensorOf(binding.adoptHandle(handle)));
    }
    const tensors = results.map((handle) => tensorOf(binding.adoptHandle(handle)));
    return filled(recording.returned, tensors);
  }

  #read(handle: Handle): Float32Array<ArrayBuffer> {
    return readHandle(this.#binding.library.api, this.#binding.status, handle) as Float32Array<ArrayBuffer>;
  }

  #handle(values: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>): Handle {
    const dataType = values instanceof Int32Array ? DataType.INT32 : DataType.FLOAT;
    return numericHandle(this.#binding.library, this.#binding.status, { shape: [values.length], dataType, values });
  }
}

/** For each part the values that it has to give, each once. */
function outputsOf(recording: Recording, ops: readonly RecordedOp[]): Source[][] {
  const last = recording.exchanges.length;
  const outputs = recording.actions.map(() => new Set<Source>());
  const add = (source: Source, usedIn: number, isEnd: boolean) => {
    if (source.kind === "op") {
      if (isEnd || source.op.part < usedIn) outputs[source.op.part].add(source);
    } else if (isEnd && (source.kind === "constant" || source.kind === "number" || source.kind === "integers")) {
      outputs[usedIn].add(source);
    }
  };
  for (const op of ops) for (const source of op.inputs) add(source, op.part, false);
  for (const [part, { sources }] of recording.exchanges.entries()) {
    for (const source of sources) add(source, part, true);
  }
  for (const source of ends(recording)) add(source, last, true);
  return outputs.map((set) => [...set]);
}

/** What the step returns: the recorded shape with tensors in their places. */
function filled(template: unknown, tensors: readonly tf.Tensor[]): unknown {
  if (template instanceof ResultPlace) return tensors[template.index];
  if (Array.isArray(template)) return template.map((item) => filled(item, tensors));
  if (typeof template !== "object" || template === null) return template;
  const prototype = Object.getPrototypeOf(template);
  if (prototype !== Object.prototype && prototype !== null) return template;
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, filled(value, tensors)]));
}
