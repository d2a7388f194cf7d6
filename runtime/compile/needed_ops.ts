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
