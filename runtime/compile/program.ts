import type { TensorflowBinding } from "../accelerators/tensorflow/binding.ts";
import { DataType } from "../accelerators/tensorflow/data_types.ts";
import { numericHandle, readHandle } from "../accelerators/tensorflow/tensor_transfer.ts";
import type { GraphMode } from "../accelerators/tensorflow/graph_function.ts";
import { gradientOf, setGradient, zeroGradients } from "../tensor/gradients.ts";
import type { tf } from "../tensor/tf.ts";
import { buildPart, type BuiltPart, type PackedNumbers, type PartInput } from "./build_part.ts";
import { ModeChoice, type ModeChoiceOptions } from "./mode_choice.ts";
import { drawingOps, ends, neededOps } from "./needed_ops.ts";
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
  readonly #parts: (BuiltPart & { mode: ModeChoice; draws: BuiltPart | undefined })[];
  readonly #packed: { numbers: PackedNumbers; integers: PackedNumbers }[];
  readonly #captured: number[];

  /** @throws Error that names the op which does not go into a graph */
  constructor(binding: TensorflowBinding, recording: Recording, mode: ModeChoiceOptions) {
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
    this.#parts = [];
    try {
      const drawing = drawingOps(ops);
      const calls = callsOf(recording, ops, drawing);
      const build = ({ ops, outputs }: Call) => buildPart(binding, { recording, ops, outputs, packed: this.#packed });
      for (const [part, call] of calls.main.entries()) {
        const draws = calls.draws[part].ops.length > 0 ? build(calls.draws[part]) : undefined;
        // What follows an exchange must be computed alike on all ranks, whatever each of them chose.
        const choice = new ModeChoice(part === 0 ? mode : { compile: "exact" });
        this.#parts.push({ ...build(call), mode: choice, draws });
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
        if (part.draws) {
          const drawn = part.draws.function.call(part.draws.inputs.map(handleOf), "exact");
          for (const [i, handle] of drawn.entries()) own(part.draws.outputs[i], handle);
        }
        const inputs = part.inputs.map(handleOf), later = this.#laterMode(index);
        const outputs = later ? part.function.callLater(inputs, later) : part.mode.run(part.function, inputs);
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
    for (const part of this.#parts) {
      part.function[Symbol.dispose]();
      part.draws?.function[Symbol.dispose]();
    }
  }

  /**
   * How a part runs while the program goes on to prepare the next batch; undefined if it has to run at once. Only the last one may run later,
   * and only if it hardly can fail: machine code of XLA's, which does not look at values, and the update after an exchange. With a GPU nothing does:
   * its calls return early by themselves.
   */
  #laterMode(part: number): GraphMode | undefined {
    if (part < this.#parts.length - 1 || this.recording.checks.length > 0 || this.#binding.context.onGpu) {
      return undefined;
    }
    const mode = this.#parts[part].mode.settledMode;
    return mode === "xla" || part > 0 ? mode : undefined;
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
      const value = tensorOf(binding.adoptHandle(handle, variable.shape));
      variable.assign(value);
      value.dispose();
    }
    for (const [variable, handle] of gradients) {
      const before = gradientOf(variable);
      if (handle === undefined) zeroGradients([variable]);
      else if (before && !isShared(before)) binding.replaceHandle(idOf(before), handle);
      else setGradient(variable, tensorOf(binding.adoptHandle(handle, variable.shape)));
    }
    const tensors = results.map((handle, i) => tensorOf(binding.adoptHandle(handle, recording.results[i].shape)));
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

/** What one call computes. */
interface Call {
  readonly ops: readonly RecordedOp[];
  /** The values that it has to give, each once. */
  readonly outputs: readonly Source[];
}

/** The calls of each part: one that draws, and one for all else. */
function callsOf(
  recording: Recording,
  ops: readonly RecordedOp[],
  drawing: ReadonlySet<RecordedOp>,
): { draws: Call[]; main: Call[] } {
  const last = recording.exchanges.length;
  const outputs = recording.actions.map(() => ({ draws: new Set<Source>(), main: new Set<Source>() }));
  const isElsewhere = (made: RecordedOp, used: RecordedOp) =>
    made.part !== used.part || drawing.has(made) !== drawing.has(used);
  const give = (source: Extract<Source, { kind: "op" }>) =>
    outputs[source.op.part][drawing.has(source.op) ? "draws" : "main"].add(source);
  for (const op of ops) {
    for (const source of op.inputs) if (source.kind === "op" && isElsewhere(source.op, op)) give(source);
  }
  const end = (source: Source, part: number) => {
    if (source.kind === "op") give(source);
    else if (source.kind === "constant" || source.kind === "number" || source.kind === "integers") {
      outputs[part].main.add(source);
    }
  };
  for (const [part, { sources }] of recording.exchanges.entries()) for (const source of sources) end(source, part);
  for (const source of ends(recording)) end(source, last);
  const calls = (which: "draws" | "main") =>
    outputs.map((of, part): Call => ({
      ops: ops.filter((op) => op.part === part && drawing.has(op) === (which === "draws")),
      outputs: [...of[which]],
    }));
  return { draws: calls("draws"), main: calls("main") };
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
