import type { TensorflowBinding } from "../accelerators/tensorflow/binding.ts";
import type { GraphFunction } from "../accelerators/tensorflow/graph_function.ts";
import type { tf } from "../tensor/tf.ts";
import { buildPart, type PackedNumbers, type PartInput } from "./build_part.ts";
import { ModeChoice, type ModeChoiceOptions } from "./mode_choice.ts";
import { drawingOps, ends, neededOps } from "./needed_ops.ts";
import type { RecordedOp, Recording, Source } from "./recording.ts";

/** A value on its way through a run: one that the run made, by its place among those, or one that was there before. */
export type Operand = number | Extract<Source, { kind: "argument" | "variable" | "gradient" | "captured" }>;

/** A value that outlives the run. Of several that are the same one takes it, the others get handles that share it. */
export interface End {
  readonly value: Operand;
  readonly takes: boolean;
}

/** One part as it is run. */
export interface PlannedPart {
  readonly mode: ModeChoice;
  readonly main: PlannedCall;
  /** What draws random numbers before it. */
  readonly draws: PlannedCall | undefined;
  /** Where the packed numbers and integers go that are read before it; undefined: none are. */
  readonly numbers: number | undefined;
  readonly integers: number | undefined;
  /** What leaves the process after it, and where that goes which comes back. */
  readonly exchange: { readonly sources: readonly Operand[]; readonly results: readonly number[] } | undefined;
}

/** A call of a function: where its inputs are, and the place of the first of its outputs. */
export interface PlannedCall {
  readonly function: GraphFunction;
  readonly inputs: readonly Operand[];
  readonly outputs: number;
}

/** A recorded step, ready to run: everything that is the same in every run is worked out. */
export interface Plan {
  readonly parts: readonly PlannedPart[];
  /** How many values a run makes. */
  readonly places: number;
  /** How many ops the functions hold. */
  readonly opCount: number;
  /** The numbers in the binding of the tensors that it takes from outside. */
  readonly captured: readonly number[];
  readonly checks: readonly { readonly value: Operand; readonly inspect: (value: number) => void }[];
  readonly variables: readonly (readonly [tf.Variable, End])[];
  readonly gradients: readonly (readonly [tf.Variable, End | undefined])[];
  readonly results: readonly (End & { readonly shape: readonly number[] })[];
}

/** Makes the functions of a recorded step and says where its values go. @throws Error that names the op which does not go into a graph */
export function planProgram(binding: TensorflowBinding, recording: Recording, mode: ModeChoiceOptions): Plan {
  const packed = recording.actions.map((_, part) => ({
    numbers: { kind: "numbers", part } as PackedNumbers,
    integers: { kind: "packedIntegers", part } as PackedNumbers,
  }));
  const ops = neededOps(recording), parts: PlannedPart[] = [];
  const captured = new Set(
    [...ops.flatMap((op) => op.inputs), ...ends(recording)].flatMap((source) =>
      source.kind === "captured" ? [source.id] : []
    ),
  );
  const places = new Map<PartInput, number>();
  const place = (source: PartInput) => {
    const at = places.size;
    places.set(source, at);
    return at;
  };
  const operand = (source: PartInput): Operand => {
    const at = places.get(source);
    if (at !== undefined) return at;
    if (isOutside(source)) return source;
    throw new Error(`a value of kind ${source.kind} is used before it is made`);
  };
  const build = ({ ops, outputs }: Computation): PlannedCall => {
    const built = buildPart(binding, { recording, ops, outputs, packed });
    const call = { function: built.function, inputs: built.inputs.map(operand), outputs: places.size };
    built.outputs.forEach(place);
    return call;
  };
  try {
    const computations = computationsOf(recording, ops, drawingOps(ops));
    for (const [part, { draws, main }] of computations.entries()) {
      const kinds = new Set(recording.actions[part].map(({ kind }) => kind));
      const numbers = kinds.has("number") ? place(packed[part].numbers) : undefined;
      const integers = kinds.has("integers") ? place(packed[part].integers) : undefined;
      // What follows an exchange must be computed alike on all ranks, whatever each of them chose.
      const choice = new ModeChoice(part === 0 ? mode : { compile: "exact" });
      const drawn = draws.ops.length > 0 ? build(draws) : undefined;
      const planned = { mode: choice, numbers, integers, draws: drawn, main: build(main) };
      const exchange = recording.exchanges[part];
      parts.push({
        ...planned,
        exchange: exchange && { sources: exchange.sources.map(operand), results: exchange.results.map(place) },
      });
    }
  } catch (error) {
    disposeParts(parts);
    throw error;
  }
  const taken = new Set<Operand>();
  const end = (source: Source): End => {
    const value = operand(source), takes = typeof value === "number" && !taken.has(value);
    taken.add(value);
    return { value, takes };
  };
  return {
    parts,
    opCount: ops.length,
    captured: [...captured],
    checks: recording.checks.map(({ source, inspect }) => ({ value: operand(source), inspect })),
    variables: [...recording.variables].map(([variable, source]) => [variable, end(source)] as const),
    gradients: [...recording.gradients].map(([variable, source]) => [variable, source && end(source)] as const),
    results: recording.results.map(({ source, shape }) => ({ ...end(source), shape })),
    places: places.size,
  };
}

/** Frees the functions of a plan. */
export function disposeParts(parts: readonly PlannedPart[]): void {
  for (const { main, draws } of parts) {
    main.function[Symbol.dispose]();
    draws?.function[Symbol.dispose]();
  }
}

/** What one call computes. */
interface Computation {
  readonly ops: readonly RecordedOp[];
  /** The values that it has to give, each once. */
  readonly outputs: readonly Source[];
}

/** What each part computes: in a call that draws, and in one for all else. */
function computationsOf(
  recording: Recording,
  ops: readonly RecordedOp[],
  drawing: ReadonlySet<RecordedOp>,
): { draws: Computation; main: Computation }[] {
  const last = recording.exchanges.length;
  const outputs = recording.actions.map(() => ({ draws: new Set<Source>(), main: new Set<Source>() }));
  const isElsewhere = (made: RecordedOp, used: RecordedOp) =>
    made.part !== used.part || drawing.has(made) !== drawing.has(used);
  const give = (source: Extract<Source, { kind: "op" }>) =>
    outputs[source.op.part][drawing.has(source.op) ? "draws" : "main"].add(source);
  for (const op of ops) {
    for (const source of op.inputs) if (source.kind === "op" && isElsewhere(source.op, op)) give(source);
  }
  const ended = new Set<Source>();
  const end = (source: Source, part: number) => {
    if (source.kind === "op") give(source);
    else if (source.kind === "constant" || source.kind === "number" || source.kind === "integers") {
      // The first part that is asked for it gives it to all.
      if (!ended.has(source)) outputs[part].main.add(source);
      ended.add(source);
    }
  };
  for (const [part, { sources }] of recording.exchanges.entries()) for (const source of sources) end(source, part);
  for (const source of ends(recording)) end(source, last);
  return outputs.map((of, part) => {
    const here = ops.filter((op) => op.part === part);
    return {
      draws: { ops: here.filter((op) => drawing.has(op)), outputs: [...of.draws] },
      main: { ops: here.filter((op) => !drawing.has(op)), outputs: [...of.main] },
    };
  });
}

function isOutside(source: PartInput): source is Exclude<Operand, number> {
  return ["argument", "variable", "gradient", "captured"].includes(source.kind);
}
