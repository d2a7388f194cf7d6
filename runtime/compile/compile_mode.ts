/** How a step is compiled: `"auto"` measures a graph and XLA and keeps the faster; false leaves it as it is. */
export type CompileMode = "auto" | "xla" | "graph" | false;

const MODES: readonly unknown[] = ["auto", "xla", "graph", false];

/** @throws TypeError if `mode` is none. @param option what is told to be wrong, e.g. `fabric.compile({ compile })` */
export function checkCompileMode(option: string, mode: unknown): asserts mode is CompileMode {
  if (MODES.includes(mode)) return;
  throw new TypeError(`\`${option}\` must be "auto", "xla", "graph" or false, but got ${JSON.stringify(mode)}`);
}
