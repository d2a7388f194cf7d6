import type { TensorflowBinding } from "../accelerators/tensorflow/binding.ts";
import { DataType } from "../accelerators/tensorflow/data_types.ts";
import type { GraphMode } from "../accelerators/tensorflow/graph_function.ts";
import { numericHandle, readHandle } from "../accelerators/tensorflow/tensor_transfer.ts";
import { gradientOf, setGradient, zeroGradients } from "../tensor/gradients.ts";
import type { tf } from "../tensor/tf.ts";
import type { ModeChoiceOptions } from "./mode_choice.ts";
import { idOf, isShared, tensorOf } from "./node_backend.ts";
import { disposeParts, type End, type Operand, type Plan, type PlannedCall, planProgram } from "./program_plan.ts";
import type { Recording } from "./recording.ts";
import { ResultPlace } from "./recorder.ts";

type Handle = Deno.PointerValue;

/** A recorded step that can be run: a function for each part, and what happens around them. */
export class Program implements Disposable {
  readonly recording: Recording;
  readonly #binding: TensorflowBinding;
  readonly #plan: Plan;
  /** The values that a run makes, by their places; empty between runs. */
  readonly #values: Handle[];

  /** @throws Error that names the op which does not go into a graph */
  constructor(binding: TensorflowBinding, recording: Recording, mode: ModeChoiceOptions) {
    this.#binding = binding;
    this.recording = recording;
    this.#plan = planProgram(binding, recording, mode);
    this.#values = new Array(this.#plan.places).fill(null);
  }

  /** How many ops the functions hold. */
  get opCount(): number {
    return this.#plan.opCount;
  }

  /** True as long as what it took from outside is there. */
  get isUsable(): boolean {
    return this.#plan.captured.every((id) => this.#binding.has(id));
  }

  /** How its parts are run, for people, as soon as that is settled. */
  get settled(): string | undefined {
    return this.#plan.parts[0].mode.settled;
  }

  /** Runs the step. @returns what it returns; the tensors in it are the caller's scope's */
  async run(args: readonly tf.Tensor[]): Promise<unknown> {
    const { recording } = this, { parts, checks } = this.#plan, values = this.#values;
    try {
      for (const [index, part] of parts.entries()) {
        this.#readNumbers(index);
        if (part.draws) this.#keep(part.draws, part.draws.function.call(this.#inputs(part.draws, args), "exact"));
        const inputs = this.#inputs(part.main, args), later = this.#laterMode(index);
        this.#keep(
          part.main,
          later ? part.main.function.callLater(inputs, later) : part.mode.run(part.main.function, inputs),
        );
        if (!part.exchange) continue;
        const read = part.exchange.sources.map((source) => this.#read(this.#handleOf(source, args)));
        const results = await recording.exchanges[index].run(read);
        for (const [i, at] of part.exchange.results.entries()) values[at] = this.#handle(results[i]);
      }
      for (const { value, inspect } of checks) inspect(this.#read(this.#handleOf(value, args))[0]);
      const returned = this.#commit(args);
      for (const run of recording.afterwards) run();
      return returned;
    } finally {
      for (let i = 0; i < values.length; i++) {
        // What nobody took. Deleting null would be harmless, but is a call.
        if (values[i] !== null) this.#binding.library.api.TFE_DeleteTensorHandle(values[i]);
        values[i] = null;
      }
    }
  }

  [Symbol.dispose](): void {
    disposeParts(this.#plan.parts);
  }

  /**
   * How a part runs while the program goes on to prepare the next batch; undefined if it has to run at once. Only the last one may run later,
   * and only if it hardly can fail: machine code of XLA's, which does not look at values, and the update after an exchange. With a GPU nothing
   * does: its calls return early by themselves.
   */
  #laterMode(part: number): GraphMode | undefined {
    const { parts, checks } = this.#plan;
    if (part < parts.length - 1 || checks.length > 0 || this.#binding.context.onGpu) return undefined;
    const mode = parts[part].mode.settledMode;
    return mode === "xla" || part > 0 ? mode : undefined;
  }

  #readNumbers(index: number): void {
    const { numbers: numbersAt, integers: integersAt } = this.#plan.parts[index];
    const numbers: number[] = [], integers: Int32Array[] = [];
    for (const action of this.recording.actions[index]) {
      if (action.kind === "effect") action.run();
      else if (action.kind === "number") numbers.push(action.read());
      else integers.push(action.read());
    }
    if (numbersAt !== undefined) this.#values[numbersAt] = this.#handle(Float32Array.from(numbers));
    if (integersAt !== undefined) {
      const all = new Int32Array(integers.reduce((sum, { length }) => sum + length, 0));
      integers.reduce((offset, values) => (all.set(values, offset), offset + values.length), 0);
      this.#values[integersAt] = this.#handle(all);
    }
  }

  #inputs({ inputs }: PlannedCall, args: readonly tf.Tensor[]): Handle[] {
    const handles = new Array<Handle>(inputs.length);
    for (let i = 0; i < inputs.length; i++) handles[i] = this.#handleOf(inputs[i], args);
    return handles;
  }

  #keep({ outputs }: PlannedCall, handles: readonly Handle[]): void {
    for (let i = 0; i < handles.length; i++) this.#values[outputs + i] = handles[i];
  }

  /** The handle of a value. What was there before the step is borrowed: it stays its tensor's. */
  #handleOf(value: Operand, args: readonly tf.Tensor[]): Handle {
    if (typeof value === "number") return this.#values[value];
    switch (value.kind) {
      case "argument":
        return this.#binding.handleOf(idOf(args[value.index]));
      case "variable":
        return this.#binding.handleOf(idOf(value.variable));
      case "gradient":
        return this.#binding.handleOf(idOf(gradientOf(value.variable)!));
      case "captured":
        return this.#binding.handleOf(value.id);
    }
  }

  /** Puts the new values in place of the old ones, and makes tensors of the results. */
  #commit(args: readonly tf.Tensor[]): unknown {
    const { variables, gradients, results } = this.#plan, binding = this.#binding;
    const take = ({ value, takes }: End): Handle => {
      const handle = this.#handleOf(value, args);
      if (!takes) return this.#share(handle);
      this.#values[value as number] = null;
      return handle;
    };
    // Shared before the first is put in place: two variables may have been exchanged.
    const borrowed = (end: End) => end.takes ? undefined : take(end);
    const forVariables = variables.map(([, end]) => borrowed(end));
    const forGradients = gradients.map(([, end]) => end && borrowed(end));
    const forResults = results.map(borrowed);
    for (const [i, [variable, end]] of variables.entries()) {
      const handle = forVariables[i] ?? take(end);
      if (!isShared(variable)) {
        binding.replaceHandle(idOf(variable), handle);
        continue;
      }
      const value = tensorOf(binding.adoptHandle(handle, variable.shape));
      variable.assign(value);
      value.dispose();
    }
    for (const [i, [variable, end]] of gradients.entries()) {
      if (!end) {
        zeroGradients([variable]);
        continue;
      }
      const handle = forGradients[i] ?? take(end), before = gradientOf(variable);
      if (before && !isShared(before)) binding.replaceHandle(idOf(before), handle);
      else setGradient(variable, tensorOf(binding.adoptHandle(handle, variable.shape)));
    }
    const tensors = results.map((end, i) => tensorOf(binding.adoptHandle(forResults[i] ?? take(end), end.shape)));
    return filled(this.recording.returned, tensors);
  }

  /** Another handle of the same values. */
  #share(handle: Handle): Handle {
    const { library: { api }, status } = this.#binding;
    const copy = api.TFE_TensorHandleCopySharingTensor(handle, status.pointer);
    status.check("cannot share a tensor");
    return copy;
  }

  #read(handle: Handle): Float32Array<ArrayBuffer> {
    return readHandle(this.#binding.library.api, this.#binding.status, handle) as Float32Array<ArrayBuffer>;
  }

  #handle(values: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>): Handle {
    const dataType = values instanceof Int32Array ? DataType.INT32 : DataType.FLOAT;
    return numericHandle(this.#binding.library, this.#binding.status, { shape: [values.length], dataType, values });
  }
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
