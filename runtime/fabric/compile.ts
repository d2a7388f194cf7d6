import { checkCompileMode, type CompileMode } from "../compile/compile_mode.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { tf } from "../tensor/tf.ts";

/** Options of {@linkcode Fabric.compile}. */
export interface CompileOptions {
  /**
   * `"auto"` runs the first steps as a graph and by XLA and keeps the faster (with a seed it goes by a rule, so that every run is the same);
   * `"graph"` and `"xla"` are one of them, `"exact"` has the same bits as op by op, false leaves the step as it is. Default: `"auto"`.
   */
  compile?: CompileMode;
  /** What the step is called in messages. Default: the function's name. */
  name?: string;
}

/** {@linkcode Fabric.compile}. @param dependsOn what the step depends on besides its arguments and variables */
export function compileForFabric<A extends unknown[], R>(
  step: (...args: A) => R | Promise<R>,
  options: CompileOptions,
  dependsOn: () => readonly unknown[],
): (...args: A) => Promise<R> {
  rejectUnknownOptions("fabric.compile", options, ["compile", "name"]);
  if (typeof step !== "function") {
    throw new TypeError(
      `\`fabric.compile(…)\` needs the training step as a function, but got ${step === null ? "null" : typeof step}`,
    );
  }
  const { compile = "auto", name } = options;
  checkCompileMode("fabric.compile(step, { compile })", compile);
  const plain = step as (...args: A) => Promise<R>;
  if (compile === false) return plain;
  let chosen: ((...args: A) => Promise<R>) | undefined, choosing: Promise<void> | undefined;
  const choose = async () => {
    const binding = await tensorflowBinding();
    if (!binding) return void (chosen = plain);
    const { compileStep } = await import("../compile/compile_step.ts");
    chosen = compileStep(step, binding, { compile, name: name ?? (step.name || "step"), dependsOn });
  };
  return async (...args) => {
    if (!chosen) await (choosing ??= choose());
    return await chosen!(...args);
  };
}

/** The binding under tfjs's backend; undefined if that is another. What belongs to TensorFlow is loaded only where it is used. */
async function tensorflowBinding() {
  if (tf.getBackend() !== "tensorflow") return undefined;
  const { loadedBinding } = await import("../accelerators/tensorflow/accelerator.ts");
  return loadedBinding();
}
