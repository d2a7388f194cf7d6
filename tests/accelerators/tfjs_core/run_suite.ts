/**
 * Runs a bundle that `buildSuite` made, in a process of its own: `deno run -A run_suite.ts BUNDLE RESULT`. RESULT is the file that
 * the `SuiteResult` is written to as JSON.
 */
import { pathToFileURL } from "node:url";

const [bundle, resultFile] = Deno.args;
await import(pathToFileURL(bundle).href);
const { weftRun } = globalThis as unknown as { weftRun: () => Promise<unknown> };
await Deno.writeTextFile(resultFile, JSON.stringify(await weftRun()));
