/**
 * Bundles tfjs-core's own tests, which its npm package ships as modules that only a bundler resolves, with our wasm accelerator and
 * one tfjs for both. The bundle sets `globalThis.weftRun`, which starts the accelerator, runs the tests and gives a `SuiteResult`.
 */
import { fileURLToPath } from "node:url";
import * as esbuild from "npm:esbuild@0.25.12";

/** What a run of the suite gives: tests by their full names, which begin with the op's. */
export interface SuiteResult {
  passed: string[];
  failed: { name: string; messages: string[] }[];
  /** Tests that the suite itself leaves out. */
  skipped: string[];
}

const PACKAGES = {
  "@tensorflow/tfjs": "4.22.0",
  "@tensorflow/tfjs-core": "4.22.0",
  "@tensorflow/tfjs-backend-wasm": "4.22.0",
  "jasmine-core": "4.2.0",
};

const WASM = fileURLToPath(new URL("../../../runtime/accelerators/wasm.ts", import.meta.url));

const TF = fileURLToPath(new URL("../../../runtime/tensor/tf.ts", import.meta.url));

const ENTRY = `
import "./run.js";
import "@tensorflow/tfjs";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import "./environment.js";
import "@tensorflow/tfjs-core/dist/tests";
`;

// A module of its own: it has to run before the tests are imported.
const ENVIRONMENT = `
import { setTestEnvs } from "@tensorflow/tfjs-core/dist/jasmine_util";
setTestEnvs([{ name: "wasm", backendName: "wasm", flags: {}, isDataSync: true }]);
`;

const RUN = `
import jasmineRequire from "jasmine-core/lib/jasmine-core/jasmine.js";
import { wasm } from ${JSON.stringify(WASM)};
const jasmine = jasmineRequire.core(jasmineRequire);
const env = jasmine.getEnv({ suppressLoadErrors: true });
Object.assign(globalThis, jasmineRequire.interface(jasmine, env));
globalThis.weftRun = async () => {
  await wasm.load({});
  const result = { passed: [], failed: [], skipped: [] };
  env.configure({ random: false });
  env.addReporter({ specDone({ status, fullName, failedExpectations }) {
    if (status === "passed") result.passed.push(fullName);
    else if (status === "failed") result.failed.push({ name: fullName, messages: failedExpectations.map((e) => e.message) });
    else result.skipped.push(fullName);
  } });
  await env.execute();
  return result;
};
`;

/** Makes the bundle in a folder, which it fills. @returns the bundle's path */
export async function buildSuite(folder: string): Promise<string> {
  const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
  await write("package.json", JSON.stringify({ private: true, type: "module", dependencies: PACKAGES }));
  await write("deno.json", "{}");
  await write("entry.js", ENTRY);
  await write("environment.js", ENVIRONMENT);
  await write("run.js", RUN);
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
      target: "esnext",
      mainFields: ["module", "main"],
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
      // Where the compiled engine looks for its binary.
      define: { __dirname: JSON.stringify(`${folder}/node_modules/@tensorflow/tfjs-backend-wasm/wasm-out`) },
      ignoreAnnotations: true, // the package says that its tests have no side effects
      outfile,
      logLevel: "error",
      plugins: [npmSpecifiers(folder), plainTensorFlow(folder)],
    });
  } finally {
    await esbuild.stop();
  }
  return outfile;
}

/** Finds what our files import as `npm:name@version` in the folder's own node_modules, so that there is one tfjs. */
function npmSpecifiers(folder: string): esbuild.Plugin {
  return {
    name: "npm-specifiers",
    setup(build) {
      build.onResolve({ filter: /^npm:/ }, ({ path, kind }) => {
        const name = path.slice("npm:".length).replace(/(?<=.)@[^/]*/, "");
        return build.resolve(name, { kind, resolveDir: folder });
      });
    },
  };
}

/**
 * Puts tfjs as it comes in place of the runtime's `tf`, which replaces a few of the exports of tfjs's CommonJS files: the bundle is made
 * of its modules, whose exports cannot be replaced.
 */
function plainTensorFlow(folder: string): esbuild.Plugin {
  return {
    name: "plain-tensorflow",
    setup(build) {
      build.onLoad({ filter: /[\\/]tf\.ts$/ }, ({ path }) => {
        if (path !== TF) return undefined;
        return { contents: 'export * as tf from "@tensorflow/tfjs";', resolveDir: folder };
      });
    },
  };
}
