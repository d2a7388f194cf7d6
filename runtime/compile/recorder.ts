import type { TensorflowBinding } from "../accelerators/tensorflow/binding.ts";
import { DataType } from "../accelerators/tensorflow/data_types.ts";
import type { ExecutedOp, HostValues, OpObserver } from "../accelerators/tensorflow/op_observer.ts";
import { gradientOf } from "../tensor/gradients.ts";
import {
  type Exchange,
  recordedBy,
  type StepOutcome,
  type StepReceiver,
  type StepRecorder,
  stepRecorder,
} from "../tensor/step_recording.ts";
import { tf } from "../tensor/tf.ts";
import { mapTensors, tensorsIn } from "../tensor/tree.ts";
import { idOf } from "./node_backend.ts";
import type { Action, Obstacle, RecordedExchange, RecordedOp, RecordedResult, Recording, Source } from "./recording.ts";
import { callSite, userLine } from "./user_line.ts";

/** Stands in `Recording.returned` for the tensor at this place of `Recording.results`. */
export class ResultPlace {
  constructor(readonly index: number) {}
}

/** Watches one step as it runs op by op, and tells afterwards what it did. */
export class Recorder implements StepRecorder, OpObserver {
  readonly #binding: TensorflowBinding;
  readonly #sources = new Map<number, Source>();
  readonly #madeAt = new Map<number, Error>();
  /** Outputs of ops that are not freed yet. */
  readonly #alive = new Map<number, RecordedOp>();
  readonly #ops: RecordedOp[] = [];
  readonly #actions: Action[][] = [[]];
  readonly #exchanges: RecordedExchange[] = [];
  readonly #afterwards: (() => void)[] = [];
  readonly #checks: { source: Source; inspect: (value: number) => void }[] = [];
  readonly #guards: { read: () => unknown; value: unknown }[] = [];
  readonly #counts = { number: 0, integers: 0 };
  readonly #variablesBefore = new Map<tf.Variable, number>();
  readonly #gradientsBefore = new Map<tf.Variable, number>();
  /** What receivers get when the step is over. */
  readonly outcomes: StepOutcome[] = [];
  #obstacle: Obstacle | undefined;
  #unseen = 0;
  #effects = 0;
  #mark: { mark: number; read: () => number } | undefined;
  /** The value that is on its way into the binding. */
  #arriving: { value: HostValues; source?: Source } | undefined;

  /** @param args the tensors among the arguments, none of which shares its values with a variable */
  constructor(binding: TensorflowBinding, args: readonly tf.Tensor[]) {
    this.#binding = binding;
    for (const variable of registeredVariables()) {
      const id = idOf(variable);
      this.#variablesBefore.set(variable, id);
      this.#sources.set(id, { kind: "variable", variable, dataType: this.#typeOf(id) });
      const gradient = gradientOf(variable);
      if (!gradient) continue;
      const gradientId = idOf(gradient);
      this.#gradientsBefore.set(variable, gradientId);
      this.#sources.set(gradientId, { kind: "gradient", variable, dataType: this.#typeOf(gradientId) });
    }
    for (const [index, tensor] of args.entries()) {
      const id = idOf(tensor);
      if (this.#sources.get(id)?.kind !== "argument") {
        this.#sources.set(id, { kind: "argument", index, dataType: this.#typeOf(id) });
      }
    }
  }

  /** Runs the step while watching. What it throws is thrown. */
  async run<T>(step: () => T | Promise<T>): Promise<T> {
    const binding = this.#binding, before = binding.observer, random = Math.random;
    binding.observer = this;
    const observed = Math.random = () => {
      if (this.#watches) this.#fail("calls Math.random(), whose numbers would stay the same");
      return random();
    };
    try {
      return await recordedBy(this, step);
    } finally {
      binding.observer = before;
      if (Math.random === observed) Math.random = random;
    }
  }

  /**
   * What the step did, once it has returned and what it left behind is freed.
   * @param returned what it returned; its tensors are alive
   */
  finish(returned: unknown): Recording | Obstacle {
    if (this.#obstacle) return this.#obstacle;
    const variables = new Map<tf.Variable, Source>(), gradients = new Map<tf.Variable, Source | undefined>();
    const gradientsBefore = new Map<tf.Variable, boolean>();
    for (const variable of registeredVariables()) {
      const before = this.#variablesBefore.get(variable);
      if (before === undefined) return { reason: `makes the variable ${variable.name}`, at: undefined, passing: true };
      const after = this.#settle(variable);
      if (after !== before) variables.set(variable, this.#sourceOf(after));
      const gradientBefore = this.#gradientsBefore.get(variable), gradient = gradientOf(variable);
      const gradientAfter = gradient && this.#settle(gradient);
      if (gradientBefore === gradientAfter) continue;
      gradients.set(variable, gradientAfter === undefined ? undefined : this.#sourceOf(gradientAfter));
      gradientsBefore.set(variable, gradientBefore !== undefined);
    }
    const results: RecordedResult[] = [];
    const tensors = tensorsIn(returned);
    const template = mapTensors(returned, () => new ResultPlace(results.push(undefined!) - 1));
    for (const [index, tensor] of tensors.entries()) {
      results[index] = { source: this.#sourceOf(this.#settle(tensor)), shape: tensor.shape, dtype: tensor.dtype };
    }
    const kept = this.#keptOp([
      ...[...registeredVariables()].flatMap((variable) => [variable, gradientOf(variable) ?? variable]),
      ...tensors,
    ]);
    if (kept) {
      return {
        reason: `keeps a tensor that ${kept.name} made without returning it: return it from the step`,
        at: userLine(kept.calledAt),
        passing: true,
      };
    }
    for (const op of this.#ops) {
      for (const source of op.inputs) {
        if (source.kind === "gradient" && !gradientsBefore.has(source.variable)) {
          gradientsBefore.set(source.variable, true);
        }
      }
    }
    return {
      ops: this.#ops,
      actions: this.#actions,
      exchanges: this.#exchanges,
      afterwards: this.#afterwards,
      checks: this.#checks,
      guards: this.#guards,
      returned: template,
      results,
      variables,
      gradients,
      gradientsBefore,
    };
  }

  // What the step says

  number(read: () => number): tf.Scalar {
    const tensor = tf.scalar(this.unseen(read));
    this.#bind(tensor, { kind: "number", index: this.#counts.number++ }, { kind: "number", read });
    return tensor;
  }

  integers(read: () => Int32Array<ArrayBuffer>): tf.Tensor1D {
    const values = this.unseen(read);
    const tensor = tf.tensor1d(values, "int32");
    const action = { kind: "integers" as const, read, length: values.length };
    this.#bind(tensor, { kind: "integers", index: this.#counts.integers++ }, action);
    return tensor;
  }

  standsFor(tensor: tf.Tensor, read: () => number): void {
    this.#bind(tensor, { kind: "number", index: this.#counts.number++ }, { kind: "number", read });
  }

  guard(read: () => unknown): void {
    if (this.#unseen > 0) return;
    this.#guards.push({ read, value: read() });
  }

  effect(run: () => void): void {
    this.#actions.at(-1)!.push({ kind: "effect", run });
    this.#runEffect(run);
  }

  afterwards(run: () => void): void {
    this.#afterwards.push(run);
    this.#runEffect(run);
  }

  outcome(receiver: StepReceiver, tensors: Readonly<Record<string, tf.Tensor>>, note?: unknown): void {
    this.outcomes.push({ receiver, tensors, note });
  }

  check(scalar: tf.Tensor, inspect: (value: number) => void): void {
    this.#checks.push({ source: this.#sourceOf(idOf(scalar)), inspect });
  }

  async exchange(tensors: readonly tf.Tensor[], run: Exchange): Promise<tf.Tensor1D[]> {
    const values = this.unseen(() =>
      tensors.map((tensor) => tensor.dataSync<"float32">() as Float32Array<ArrayBuffer>)
    );
    const sources = tensors.map((tensor) => this.#sourceOf(idOf(tensor)));
    const exchange = this.#exchanges.length;
    const results: Source[] = [];
    this.#exchanges.push({ sources, results, run });
    const returned = await run(values);
    results.push(...returned.map((_, index): Source => ({ kind: "exchanged", exchange, index })));
    this.#actions.push([]);
    return returned.map((result, index) => {
      const tensor = tf.tensor1d(result.slice());
      this.unseen(() => this.#sources.set(idOf(tensor), results[index]));
      return tensor;
    });
  }

  unseen<T>(run: () => T): T {
    this.#unseen++;
    try {
      return run();
    } finally {
      this.#unseen--;
    }
  }

  marked<T>(mark: number, read: () => number, run: () => T): T {
    this.#mark = { mark, read };
    try {
      return run();
    } finally {
      this.#mark = undefined;
    }
  }

  fail(reason: string): void {
    if (this.#unseen === 0) this.#fail(reason);
  }

  // What the binding sees

  creating(value: HostValues): HostValues["values"] | undefined {
    if (!this.#watches) return undefined;
    this.#arriving = { value };
    const given = value.values[0], mark = this.#mark;
    if (!mark || value.shape.length > 0 || value.dataType !== DataType.FLOAT) return undefined;
    if (Math.abs(given as number) !== Math.fround(mark.mark)) return undefined;
    const read = given === Math.fround(mark.mark) ? mark.read : () => -mark.read();
    this.#actions.at(-1)!.push({ kind: "number", read });
    this.#arriving.source = { kind: "number", index: this.#counts.number++ };
    return Float32Array.of(read());
  }

  created(id: number): void {
    const arriving = this.#arriving;
    if (!this.#watches || !arriving) return;
    this.#arriving = undefined;
    const { shape, dataType, values } = arriving.value;
    // The caller may change the array afterwards.
    const copy = { shape: [...shape], dataType, values: values.slice() as HostValues["values"] };
    this.#sources.set(id, arriving.source ?? { kind: "constant", value: copy, madeAt: callSite() });
  }

  executed({ name, attributes, inputs, outputs }: ExecutedOp): void {
    if (!this.#watches) return;
    const op: RecordedOp = {
      name,
      attributes: attributes.map((attribute) => ({ ...attribute, value: copied(attribute.value) })),
      inputs: inputs.map((id) => this.#sourceOf(id)),
      outputs: outputs.map(({ dtype }) => dtype),
      part: this.#exchanges.length,
      calledAt: callSite(),
    };
    if (this.#effects > 0) this.#fail("computes in a callback, which would run besides the recorded step", op.calledAt);
    this.#ops.push(op);
    for (const [output, { id }] of outputs.entries()) {
      this.#sources.set(id, { kind: "op", op, output });
      this.#alive.set(id, op);
    }
  }

  reading(id: number): void {
    if (!this.#watches) return;
    const source = this.#sources.get(id);
    // What nobody in the step made is as constant as any other value of the program.
    if (!source || source.kind === "constant" || source.kind === "captured") return;
    this.#fail(`reads the value of ${describe(source)} in the middle of the step`);
  }

  deleting(id: number): boolean {
    this.#alive.delete(id);
    return false;
  }

  get #watches(): boolean {
    return this.#unseen === 0 && stepRecorder() === this;
  }

  #bind(tensor: tf.Tensor, source: Source, action: Action): void {
    this.unseen(() => this.#sources.set(idOf(tensor), source));
    this.#actions.at(-1)!.push(action);
  }

  #sourceOf(id: number): Source {
    let source = this.#sources.get(id);
    if (!source) this.#sources.set(id, source = { kind: "captured", id, dataType: this.#typeOf(id) });
    return source;
  }

  #typeOf(id: number): number {
    return this.#binding.library.api.TFE_TensorHandleDataType(this.#binding.handleOf(id));
  }

  /** The id of a tensor after the step, whose values may not have been sent yet. */
  #settle(tensor: tf.Tensor): number {
    const observer = this.#binding.observer;
    let value: HostValues | undefined;
    this.#binding.observer = { creating: (given) => void (value = given) };
    const id = idOf(tensor);
    this.#binding.observer = observer;
    if (value && !this.#sources.has(id)) {
      const { shape, dataType, values } = value;
      this.#sources.set(id, {
        kind: "constant",
        value: { shape: [...shape], dataType, values: values.slice() as HostValues["values"] },
        madeAt: undefined,
      });
    }
    return id;
  }

  /** The op that made a tensor which is still there, and which nothing accounts for. */
  #keptOp(known: readonly tf.Tensor[]): RecordedOp | undefined {
    const accounted = new Set(known.map(idOf));
    for (const [id, op] of this.#alive) if (!accounted.has(id) && this.#binding.has(id)) return op;
    return undefined;
  }

  #runEffect(run: () => void): void {
    this.#effects++;
    try {
      run();
    } finally {
      this.#effects--;
    }
  }

  #fail(reason: string, site: Error = callSite()): void {
    this.#obstacle ??= { reason, at: userLine(site) };
  }
}

/** All variables of the process. */
export function registeredVariables(): Iterable<tf.Variable> {
  return Object.values(
    (tf.engine() as unknown as { registeredVariables: Record<string, tf.Variable> }).registeredVariables,
  );
}

function copied(value: unknown): unknown {
  return Array.isArray(value) ? [...value] : value;
}

/** A value, for people. */
export function describe(source: Source): string {
  switch (source.kind) {
    case "op":
      return `what ${source.op.name} computed`;
    case "variable":
      return `the variable ${source.variable.name}`;
    case "gradient":
      return `the gradient of ${source.variable.name}`;
    case "argument":
      return "an argument";
    default:
      return "a number";
  }
}
