import { rejectUnknownOptions } from "../../core/suggest.ts";
import type { Module } from "../../nn/module.ts";
import { asModule } from "../../nn/layers_module.ts";
import { withScope } from "../../tensor/scope.ts";
import { noGrad } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";
import { type PartSizes, recordSizes } from "./record_sizes.ts";
import { childParts, type Part, partsOf } from "./parts.ts";

/** Options of {@linkcode summarize} and {@linkcode ModelSummary}. */
export interface SummarizeOptions {
  /** How deep the table goes: 1 for the model's own parts, -1 for all. Default: 1. */
  maxDepth?: number;
}

/** A model with a batch to try it with. */
type WithExample = Module & { exampleInputArray?: tf.Tensor | readonly tf.Tensor[] };

/**
 * The parts of a model with their parameters, as a table. With an `exampleInputArray` in the model, one forward pass in eval mode tells the sizes of
 * their inputs and outputs. Moving averages of layers are no parameters.
 *
 * @throws Error if a layer has not seen an input and so has no weights yet
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const layers = [tf.layers.dense({ inputShape: [784], units: 100 }), tf.layers.dense({ units: 10 })];
 * const table = summarize(tf.sequential({ layers }));
 * console.assert(table.includes("79.5 K    Trainable params"));
 * ```
 */
export function summarize(model: Module | tf.LayersModel, options: SummarizeOptions = {}): string {
  rejectUnknownOptions("summarize", options, ["maxDepth"]);
  const { maxDepth = 1 } = options;
  if (!Number.isSafeInteger(maxDepth) || maxDepth < -1) {
    throw new RangeError(`\`summarize\` takes a \`maxDepth\` from 0 up, or -1 for all, but got ${maxDepth}`);
  }
  const module = asModule(model) as WithExample;
  const root = partsOf(module);
  const all = [...descendants(root)];
  const shown = all.filter(({ depth }) => maxDepth === -1 || depth <= maxDepth).map(({ part }) => part);
  const { exampleInputArray } = module;
  const sizes = exampleInputArray === undefined ? undefined : tryOut(module, exampleInputArray, shown);
  const rows = shown.map((part) => [
    part.name,
    part.type,
    humanCount(countOf(part.parameters)),
    part.training ? "train" : "eval",
    ...(sizes ? [sizes.get(part.object)?.input ?? "?", sizes.get(part.object)?.output ?? "?"] : []),
  ]);
  const covered = new Set(shown.flatMap(({ parameters }) => [...parameters]));
  const other = [...root.parameters].filter((variable) => !covered.has(variable));
  if (other.length > 0) {
    rows.push(["other params", "n/a", humanCount(countOf(other)), "n/a", ...(sizes ? ["n/a", "n/a"] : [])]);
  }
  const head = ["Name", "Type", "Params", "Mode", ...(sizes ? ["In sizes", "Out sizes"] : [])];
  const total = countOf(root.parameters);
  const trainable = countOf([...root.parameters].filter((variable) => root.trainable.has(variable)));
  const inTrainMode = all.filter(({ part }) => part.training).length;
  return table(head, rows, [
    [humanCount(trainable), "Trainable params"],
    [humanCount(total - trainable), "Non-trainable params"],
    [humanCount(total), "Total params"],
    [megabytes(root.parameters), "Total estimated model params size (MB)"],
    [String(inTrainMode), "Modules in train mode"],
    [String(all.length - inTrainMode), "Modules in eval mode"],
  ]);
}

function* descendants(part: Part, depth = 1): Generator<{ part: Part; depth: number }> {
  for (const child of childParts(part)) {
    yield { part: child, depth };
    yield* descendants(child, depth + 1);
  }
}

/** One forward pass in eval mode; everything it makes is freed. */
function tryOut(module: Module, example: tf.Tensor | readonly tf.Tensor[], shown: readonly Part[]): PartSizes {
  const modes = module.modules().map((part) => [part, part.training] as const);
  const recording = recordSizes(shown);
  module.eval();
  try {
    const inputs = example instanceof tf.Tensor ? [example] : example;
    withScope(() => noGrad(() => void module.forward(...inputs)));
    return recording.sizes;
  } finally {
    recording.stop();
    for (const [part, training] of modes) part.training = training;
  }
}

function countOf(variables: Iterable<tf.Variable>): number {
  let count = 0;
  for (const { size } of variables) count += size;
  return count;
}

function megabytes(variables: Iterable<tf.Variable>): string {
  let bytes = 0;
  for (const { size, dtype } of variables) bytes += size * tf.util.bytesPerElement(dtype);
  return (bytes / 1e6).toLocaleString("en-US", { minimumFractionDigits: 3, maximumFractionDigits: 3 });
}

/** `123  `, `79.5 K`, `2.0 M`, `3.0 B`, `400 T`. */
function humanCount(count: number): string {
  const groups = Math.min(5, Math.max(1, Math.ceil(String(count).length / 3)));
  const label = [" ", "K", "M", "B", "T"][groups - 1];
  const scaled = count / 1000 ** (groups - 1);
  const text = groups === 1 || scaled >= 100 ? Math.trunc(scaled).toLocaleString("en-US") : scaled.toFixed(1);
  return `${text} ${label}`;
}

function table(head: readonly string[], rows: readonly string[][], totals: readonly [string, string][]): string {
  const all = [["", ...head], ...rows.map((row, index) => [String(index), ...row])];
  if (rows.length > 0 && rows.at(-1)![0] === "other params") all.at(-1)![0] = " ";
  const widths = all[0].map((_, column) => Math.max(1, ...all.map((row) => row[column].length)));
  const lines = all.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join(" | "));
  const rule = "-".repeat(widths.reduce((sum, width) => sum + width, 0) + 3 * (widths.length + 1));
  const facts = totals.map(([value, what]) => value.padEnd(10) + what);
  return [lines[0].trimEnd(), rule, ...lines.slice(1), rule, ...facts].join("\n");
}
