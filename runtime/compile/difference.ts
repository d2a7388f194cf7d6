import { isDeepStrictEqual } from "node:util";
import { describe } from "./recorder.ts";
import { neededOps } from "./needed_ops.ts";
import type { Obstacle, RecordedOp, Recording, Source } from "./recording.ts";
import { userLine } from "./user_line.ts";

/** What two recordings of the same step do differently: something that the step decides anew each time. undefined: nothing. */
export function difference(a: Recording, b: Recording): Obstacle | undefined {
  const opsA = neededOps(a), opsB = neededOps(b);
  const places = [new Map(opsA.map((op, i) => [op, i])), new Map(opsB.map((op, i) => [op, i]))];
  const same = (x: Source | undefined, y: Source | undefined) => sameSource(x, y, places);

  for (let i = 0; i < Math.max(opsA.length, opsB.length); i++) {
    const x = opsA[i], y = opsB[i];
    if (!x || !y || x.name !== y.name || x.inputs.length !== y.inputs.length || x.part !== y.part) {
      const [from, to] = [x, y].map((op) => op?.name ?? "nothing");
      return other(`computes ${from} in one step and ${to} in the next`, y ?? x);
    }
    if (!isDeepStrictEqual(x.attributes, y.attributes)) {
      return other(`gives the op ${x.name} other attributes in every step`, y);
    }
    for (const [k, source] of x.inputs.entries()) {
      if (same(source, y.inputs[k])) continue;
      return unequal(source, y.inputs[k], { to: `the op ${x.name}`, at: userLine(y.calledAt) });
    }
  }
  for (const [variable, source] of a.variables) {
    const next = b.variables.get(variable);
    if (!same(source, next)) return unequal(source, next, { to: `the variable ${variable.name}`, at: undefined });
  }
  for (const [variable, source] of a.gradients) {
    const next = b.gradients.get(variable);
    if (!same(source, next)) return unequal(source, next, { to: `the gradient of ${variable.name}`, at: undefined });
  }
  if (a.variables.size !== b.variables.size || a.gradients.size !== b.gradients.size) {
    return { reason: "changes other variables in every step", at: undefined };
  }
  for (const [i, { source }] of a.results.entries()) {
    const next = b.results[i]?.source;
    if (!same(source, next)) return unequal(source, next, { to: "what it returns", at: undefined });
  }
  if (!isDeepStrictEqual(a.returned, b.returned)) {
    return { reason: "returns a value that is no tensor and changes from step to step", at: undefined };
  }
  for (const [i, exchange] of a.exchanges.entries()) {
    if (!exchange.sources.every((source, k) => same(source, b.exchanges[i].sources[k]))) {
      return { reason: "exchanges other values in every step", at: undefined };
    }
  }
  return undefined;
}

function other(reason: string, op: RecordedOp): Obstacle {
  return { reason, at: userLine(op.calledAt) };
}

function unequal(
  x: Source | undefined,
  y: Source | undefined,
  { to, at }: { to: string; at: string | undefined },
): Obstacle {
  if (x?.kind === "constant" && y?.kind === "constant") {
    return {
      reason: `gives ${to} a number or an array that changes from step to step: pass it to the step as a tensor`,
      at: userLine(y.madeAt) ?? at,
    };
  }
  if (x?.kind === "captured" && y?.kind === "captured") {
    return {
      reason: `gives ${to} another tensor in every step that is not among its arguments: pass it to the step`,
      at,
    };
  }
  const [before, after] = [x, y].map((source) => source ? describe(source) : "nothing");
  return { reason: `gives ${to} ${before} in one step and ${after} in the next`, at };
}

function sameSource(
  x: Source | undefined,
  y: Source | undefined,
  [placesX, placesY]: ReadonlyMap<RecordedOp, number>[],
): boolean {
  if (!x || !y) return x === y;
  if (x.kind === "op") {
    return y.kind === "op" && x.output === y.output && placesX.get(x.op) === placesY.get(y.op);
  }
  if (x.kind === "constant" && y.kind === "constant") return sameValues(x.value, y.value);
  return isDeepStrictEqualSource(x, y);
}

function isDeepStrictEqualSource(x: Source, y: Source): boolean {
  switch (x.kind) {
    case "variable":
    case "gradient":
      return y.kind === x.kind && y.variable === x.variable;
    case "argument":
    case "number":
    case "integers":
      return y.kind === x.kind && y.index === x.index;
    case "captured":
      return y.kind === x.kind && y.id === x.id;
    case "exchanged":
      return y.kind === x.kind && y.exchange === x.exchange && y.index === x.index;
    default:
      return false;
  }
}

type Constant = Extract<Source, { kind: "constant" }>["value"];

function sameValues(x: Constant, y: Constant): boolean {
  if (
    x.dataType !== y.dataType || x.shape.length !== y.shape.length || x.shape.some((size, i) => size !== y.shape[i])
  ) {
    return false;
  }
  return isDeepStrictEqual(x.values, y.values);
}
