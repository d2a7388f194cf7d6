/**
 * Runs tfjs-core's tests against the binding, in a process of its own: `deno run -A run_suite.ts BUNDLE LIBRARY_FOLDER`. The last line
 * of its output is the result as JSON.
 */
import util from "node:util";
import { pathToFileURL } from "node:url";
import { startTensorflow } from "../../../../runtime/accelerators/tensorflow/start.ts";
import { configureTensorflow } from "../../../../runtime/tensorflow_library/configure.ts";
import { EXCEPTIONS } from "./exceptions.ts";

Object.assign(util, { isNullOrUndefined: (x: unknown) => x == null, isArray: Array.isArray });
const [bundle, libraryDirectory] = Deno.args;
configureTensorflow({ libraryDirectory });
const { binding } = await startTensorflow("cpu");
const shared = globalThis as unknown as {
  weftBinding: unknown;
  weftExceptions: readonly string[];
  weftRun: () => Promise<unknown>;
};
shared.weftBinding = binding;
shared.weftExceptions = EXCEPTIONS;
await import(pathToFileURL(bundle).href);
const result = await shared.weftRun();
console.log(JSON.stringify(result));
Deno.exit(0);
