/**
 * Bundles tfjs-core's own tests, which its npm package ships as modules that only a bundler resolves, with tfjs-node's backend and one
 * tfjs for both. The bundle takes the binding from `globalThis.weftBinding` and the names of tests to leave out from
 * `globalThis.weftExceptions`; it sets `globalThis.weftRun`.
 */
import * as esbuild from "npm:esbuild@0.25.12";

const PACKAGES = {
  "@tensorflow/tfjs": "4.22.0",
  "@tensorflow/tfjs-core": "4.22.0",
  "@tensorflow/tfjs-node-gpu": "4.22.0",
  "jasmine-core": "4.2.0",
};

const ENTRY = `
import "./jasmine_globals.js";
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { setTestEnvs } from "@tensorflow/tfjs-core/dist/jasmine_util";
import { NodeJSKernelBackend } from "@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend";
import "@tensorflow/tfjs-node-gpu/dist/register_all_kernels";
import "./select_backend.js";
import "@tensorflow/tfjs-core/dist/tests";
`;

const JASMINE_GLOBALS = `
import jasmineRequire from "jasmine-core/lib/jasmine-core/jasmine.js";
const jasmine = jasmineRequire.core(jasmineRequire);
const env = jasmine.getEnv({ suppressLoadErrors: true });
Object.assign(globalThis, jasmineRequire.interface(jasmine, env));
globalThis.weftRun = async () => {
  const exceptions = globalThis.weftExceptions;
  const result = { passed: 0, excepted: 0, failures: [] };
  env.configure({ random: false, specFilter: (spec) => {
    const excepted = exceptions.some((name) => spec.getFullName().includes(name));
    if (excepted) result.excepted++;
    return !excepted;
  } });
  env.addReporter({ specDone({ status, fullName, failedExpectations }) {
    if (status === "passed") result.passed++;
    else if (status === "failed") result.failures.push({ name: fullName, messages: failedExpectations.map((e) => e.message) });
  } });
  await env.execute();
  return result;
};
`;

const SELECT_BACKEND = `
import * as tf from "@tensorflow/tfjs";
import { setTestEnvs } from "@tensorflow/tfjs-core/dist/jasmine_util";
import { NodeJSKernelBackend } from "@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend";
const binding = globalThis.weftBinding;
tf.registerBackend("tensorflow", () => new NodeJSKernelBackend(binding, "@tensorflow/tfjs-node"), 10);
tf.setBackend("tensorflow");
setTestEnvs([{ name: "test-tensorflow", backendName: "tensorflow", flags: {}, isDataSync: true }]);
`;

/** Makes the bundle in a folder, which it fills. @returns the bundle's path */
export async function buildSuite(folder: string): Promise<string> {
  const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
  await write("package.json", JSON.stringify({ private: true, type: "module", dependencies: PACKAGES }));
  await write("deno.json", "{}");
  await write("entry.js", ENTRY);
  await write("jasmine_globals.js", JASMINE_GLOBALS);
  await write("select_backend.js", SELECT_BACKEND);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet", "--node-modules-dir=auto"],
    cwd: folder,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`deno install failed in ${folder}: ${new TextDecoder().decode(stderr)}`);
  const outfile = `${folder}/suite.mjs`;
  try {
    await esbuild.build({
      entryPoints: [`${folder}/entry.js`],
      absWorkingDir: folder,
      bundle: true,
      platform: "node",
      format: "esm",
      mainFields: ["module", "main"],
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
      ignoreAnnotations: true, // the package says that its tests have no side effects
      outfile,
      logLevel: "error",
      plugins: [reconstructSuper],
    });
  } finally {
    await esbuild.stop();
  }
  return outfile;
}

/** The package's backend is an ES5 class: its constructor calls that of a real class, which only \`Reflect.construct\` may. */
const reconstructSuper: esbuild.Plugin = {
  name: "reconstruct-super",
  setup(build) {
    build.onLoad({ filter: /tfjs-node-gpu\/dist\/nodejs_kernel_backend\.js$/ }, async ({ path }) => {
      const text = await Deno.readTextFile(path);
      const call = "_super.call(this) || this";
      if (!text.includes(call)) throw new Error(`${path} does not call its super class as expected`);
      return { contents: text.replace(call, "Reflect.construct(_super, [], NodeJSKernelBackend)"), loader: "js" };
    });
  },
};
