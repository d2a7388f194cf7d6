/**
 * How a step is compiled. `"xla"`: to machine code, several ops at a time. `"graph"`: as TensorFlow's optimized graph. `"exact"`: as a graph whose ops run
 * as they would alone, so that every bit is what it is op by op. `"auto"`: whichever of `"graph"` and `"xla"` turns out to be faster. false: not.
 */
export type CompileMode = "auto" | "xla" | "graph" | "exact" | false;

const MODES: readonly unknown[] = ["auto", "xla", "graph", "exact", false];

/** @throws TypeError if `mode` is none. @param option what is told to be wrong, e.g. `fabric.compile({ compile })` */
export function checkCompileMode(option: string, mode: unknown): asserts mode is CompileMode {
  if (MODES.includes(mode)) return;
  throw new TypeError(
    `\`${option}\` must be "auto", "xla", "graph", "exact" or false, but got ${JSON.stringify(mode)}`,
  );
}
