import type { GraphFunction, GraphMode } from "../accelerators/tensorflow/graph_function.ts";

/** Options of {@linkcode ModeChoice}. */
export interface ModeChoiceOptions {
  /** `"auto"` measures `"graph"` and `"xla"` and keeps the faster. */
  compile: "auto" | GraphMode;
  /** What is told of a choice that was not measured. Default: nothing. */
  because?: string;
  /** Milliseconds, of any beginning. Default: the process's clock. */
  now?: () => number;
}

/** Calls that are not measured, because the first ones prepare what the later ones use. */
const WARM_UP = 2;
/** Calls that are measured. */
const MEASURED = 8;

const NAMES: Record<GraphMode, string> = { graph: "as a graph", exact: "as a graph, exactly", xla: "by XLA" };

/** How a function is run: as asked for, or as turns out to be faster. */
export class ModeChoice {
  readonly #now: () => number;
  readonly #times: { graph: number[]; xla: number[] } = { graph: [], xla: [] };
  readonly #because: string;
  #mode: GraphMode;
  #isMeasuring: boolean;
  #calls = 0;
  #xlaCompiles = false;
  #settled: string | undefined;

  constructor(options: ModeChoiceOptions) {
    this.#isMeasuring = options.compile === "auto";
    this.#mode = options.compile === "auto" ? "graph" : options.compile;
    this.#now = options.now ?? (() => performance.now());
    this.#because = options.because ? ` (${options.because})` : "";
    if (!this.#isMeasuring) this.#settled = NAMES[this.#mode] + this.#because;
  }

  /** How it is run, for people; undefined while that is being measured. */
  get settled(): string | undefined {
    return this.#settled;
  }

  /** How it is run from now on; undefined while that may change. */
  get settledMode(): GraphMode | undefined {
    return this.#isMeasuring || (this.#mode === "xla" && !this.#xlaCompiles) ? undefined : this.#mode;
  }

  /** Runs the function, in the mode whose turn it is. */
  run(compiled: GraphFunction, inputs: readonly Deno.PointerValue[]): Deno.PointerValue[] {
    const mode = this.#mode;
    const begun = this.#isMeasuring ? this.#now() : 0;
    let outputs: Deno.PointerValue[];
    try {
      outputs = compiled.call(inputs, mode);
    } catch (error) {
      // What XLA compiled once does not fail for its sake later.
      if (mode !== "xla" || this.#xlaCompiles) throw error;
      this.#settle("graph", `as a graph, because XLA does not compile it: ${firstLine(error)}`);
      return compiled.call(inputs, "graph");
    }
    this.#xlaCompiles ||= mode === "xla";
    if (!this.#isMeasuring || mode === "exact") return outputs;
    if (++this.#calls > WARM_UP) this.#times[mode].push(this.#now() - begun);
    if (this.#times[mode].length < MEASURED) return outputs;
    this.#calls = 0;
    if (mode === "graph") this.#mode = "xla";
    else {
      const graph = median(this.#times.graph), xla = median(this.#times.xla);
      const both = `${graph.toFixed(2)} ms as a graph, ${xla.toFixed(2)} ms by XLA`;
      if (xla < graph) this.#settle("xla", `by XLA (${both})`);
      else this.#settle("graph", `as a graph (${both})`);
    }
    return outputs;
  }

  #settle(mode: GraphMode, how: string): void {
    this.#mode = mode;
    this.#isMeasuring = false;
    this.#settled = how;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0];
}
