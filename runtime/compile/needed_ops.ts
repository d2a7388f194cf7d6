import type { RecordedOp, Recording, Source } from "./recording.ts";

/** The values that outlive the step, or leave it in the middle. */
export function ends(recording: Recording): Source[] {
  return [
    ...recording.exchanges.flatMap(({ sources }) => sources),
    ...recording.checks.map(({ source }) => source),
    ...recording.variables.values(),
    ...[...recording.gradients.values()].filter((source) => source !== undefined),
    ...recording.results.map(({ source }) => source),
  ];
}

/** The ops that lead to what outlives the step, in the order in which they ran. Those of the others have no effect. */
export function neededOps(recording: Recording): RecordedOp[] {
  const needed = new Set<RecordedOp>();
  const stack = ends(recording);
  for (let source = stack.pop(); source; source = stack.pop()) {
    if (source.kind !== "op" || needed.has(source.op)) continue;
    needed.add(source.op);
    stack.push(...source.op.inputs);
  }
  return recording.ops.filter((op) => needed.has(op));
}

/**
 * Of these ops those that draw random numbers, with what they alone lead from: seeds and constants. XLA would draw others than the ops draw
 * alone, so they run apart from the rest.
 */
export function drawingOps(ops: readonly RecordedOp[]): Set<RecordedOp> {
  const drawing = new Set<RecordedOp>();
  for (const op of ops) {
    if (!op.name.startsWith("StatelessRandom")) continue;
    const leads = op.inputs.every((source) =>
      source.kind === "op" ? drawing.has(source.op) : source.kind === "integers" || source.kind === "constant"
    );
    if (leads) drawing.add(op);
  }
  return drawing;
}
