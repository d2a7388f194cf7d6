import assert from "node:assert/strict";
import { cacheDirectory } from "../../runtime/tensorflow_library/cache_directory.ts";
import { configurationFrom } from "../../runtime/tensorflow_library/configuration_from.ts";
import { configureTensorflow, tensorflowConfiguration } from "../../runtime/tensorflow_library/configure.ts";
import { describeLibrary } from "../../runtime/tensorflow_library/describe_library.ts";
import { findLibrary } from "../../runtime/tensorflow_library/find_library.ts";
import { libraryFiles } from "../../runtime/tensorflow_library/library_files.ts";
import { rememberLibrary } from "../../runtime/tensorflow_library/remember_library.ts";
import { platformProblem } from "../../runtime/tensorflow_library/platform_problem.ts";
import { fakePython } from "./fake_python.ts";

const problem = platformProblem();
if (problem) console.log(`skipped: the search for a library, because ${problem}`);

/** A test with a folder of its own, and with the configuration restored after it. */
function searching(name: string, run: (folder: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore: problem !== undefined,
    async fn() {
      const before = tensorflowConfiguration(), folder = await Deno.makeTempDir();
      try {
        await run(folder);
      } finally {
        configureTensorflow(before);
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

async function putLibrary(folder: string, files: readonly string[] = libraryFiles()!): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  for (const file of files) await Deno.writeTextFile(`${folder}/${file}`, "");
  return folder;
}

searching("the folder that TENSORFLOW_LIB_DIR names is taken before all others", async (folder) => {
  const named = await putLibrary(`${folder}/named`), other = await putLibrary(`${folder}/other`);
  const python = await fakePython(folder, { tensorflow: other });
  configureTensorflow({ libraryDirectory: named, pythonCommands: [python] });
  const { library, misses } = await findLibrary();
  assert.deepEqual(library, { directory: named, source: "TENSORFLOW_LIB_DIR", version: undefined, cuda: undefined });
  assert.deepEqual(misses, []);
  assert.equal(describeLibrary(library!), `TensorFlow of an unknown version named by TENSORFLOW_LIB_DIR, in ${named}`);
});

searching("a folder that is named but lacks a library is said to, and nothing else is taken for it", async (folder) => {
  const [framework, api] = libraryFiles()!;
  const named = await putLibrary(`${folder}/named`, [framework]);
  const python = await fakePython(folder, { tensorflow: await putLibrary(`${folder}/other`) });
  configureTensorflow({ libraryDirectory: named, pythonCommands: [python] });
  assert.deepEqual(await findLibrary(), { library: undefined, misses: [`TENSORFLOW_LIB_DIR=${named} lacks ${api}`] });
});

searching("Python's TensorFlow is taken after the cache, with what pip tells of it", async (folder) => {
  const packages = `${folder}/site-packages`, tensorflow = await putLibrary(`${packages}/tensorflow`);
  await Deno.mkdir(`${packages}/tensorflow_cpu-2.21.0.dist-info`);
  await Deno.mkdir(`${packages}/tensorflow_datasets-9.9.dist-info`);
  await Deno.mkdir(`${tensorflow}/python/platform`, { recursive: true });
  await Deno.writeTextFile(
    `${tensorflow}/python/platform/build_info.py`,
    "build_info = collections.OrderedDict([('is_cuda_build', False), ('is_rocm_build', True)])\n",
  );
  const python = await fakePython(folder, { tensorflow });
  configureTensorflow({ cacheHome: `${folder}/cache`, pythonCommands: ["/no/such/python", python] });
  const { library } = await findLibrary();
  assert.deepEqual(library, { directory: tensorflow, source: "python", version: "2.21.0", cuda: false });
  assert.equal(describeLibrary(library!), `TensorFlow 2.21.0 of Python, built without CUDA, in ${tensorflow}`);
  const { library: cuda, misses } = await findLibrary({ cuda: true });
  assert.equal(cuda, undefined);
  assert.equal(misses.at(-1), `Python's TensorFlow in ${tensorflow} is built without CUDA`);

  // A quick search does not ask Python, and finds it once it was remembered.
  assert.equal((await findLibrary({ quick: true })).library, undefined);
  const cache = cacheDirectory({ cacheHome: `${folder}/cache` });
  await rememberLibrary(library!, cache);
  await rememberLibrary(library!, cache);
  const remembered = (await findLibrary({ quick: true })).library!;
  assert.equal(await Deno.realPath(remembered.directory), await Deno.realPath(tensorflow));
  await putLibrary(`${cache}/3.0.0/tensorflow`);
  assert.equal((await findLibrary()).library?.directory, `${cache}/3.0.0/tensorflow`);
});

searching("of the cache the newest complete version is taken, and what is unfinished is not", async (folder) => {
  const cache = `${folder}/weft/tensorflow`;
  for (const version of ["2.9.0", "2.21.0", ".unfinished-1"]) await putLibrary(`${cache}/${version}/tensorflow`);
  await putLibrary(`${cache}/2.30.0/tensorflow`, []);
  await Deno.writeTextFile(
    `${cache}/2.21.0/tensorflow/weft.json`,
    JSON.stringify({ version: "2.21.0", cuda: true, wheel: "a.whl", sha256: "00" }),
  );
  configureTensorflow({ cacheHome: folder, pythonCommands: ["/no/such/python"] });
  const { library, misses } = await findLibrary({ cuda: true });
  assert.deepEqual(library, {
    directory: `${cache}/2.21.0/tensorflow`,
    source: "cache",
    version: "2.21.0",
    cuda: true,
  });
  assert.match(misses[0], /2\.30\.0 lacks .* and /);
  assert.equal(misses.length, 1);
});

searching("a search in vain tells every place it looked at", async (folder) => {
  const python = await fakePython(folder);
  configureTensorflow({ cacheHome: folder, pythonCommands: [python] });
  assert.deepEqual(await findLibrary(), {
    library: undefined,
    misses: [`nothing was set up in ${folder}/weft/tensorflow`, `${python} has no tensorflow package`],
  });
});

searching("a damaged manifest does no harm", async (folder) => {
  const named = await putLibrary(`${folder}/named`);
  for (const text of ["{", "[]", '{"version": 3, "cuda": "yes"}']) {
    await Deno.writeTextFile(`${named}/weft.json`, text);
    configureTensorflow({ libraryDirectory: named });
    assert.deepEqual((await findLibrary()).library?.version, undefined);
  }
});

searching("a process that may not look around is told what it lacks, and is asked for nothing", async () => {
  const module = new URL("../../runtime/tensorflow_library/find_library.ts", import.meta.url);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["eval", "--no-lock", "--ext=ts"],
      `const drop = ["run", "sys", "env"].map((name) => Deno.permissions.revoke({ name }));
       await Promise.all(drop);
       const { findLibrary } = await import(${JSON.stringify(module.href)});
       console.log(JSON.stringify(await findLibrary()));`,
    ],
  }).output();
  assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout) || "{}"), {
    misses: [
      "the cache of an earlier setup can be looked for only with --allow-sys=homedir",
      "Python can be asked for its TensorFlow only with --allow-run",
    ],
  }, new TextDecoder().decode(stderr));
});

Deno.test("a machine that TensorFlow is not built for is told why", () => {
  const linux = { os: "linux", arch: "x86_64", target: "x86_64-unknown-linux-gnu", cpuFlags: new Set(["avx"]) };
  assert.equal(platformProblem(linux), undefined);
  assert.equal(platformProblem({ ...linux, cpuFlags: undefined }), undefined);
  assert.match(platformProblem({ ...linux, cpuFlags: new Set(["sse2"]) })!, /needs a processor with AVX/);
  assert.match(platformProblem({ ...linux, target: "x86_64-unknown-linux-musl" })!, /this system has musl/);
  const arm = { os: "linux", arch: "aarch64", target: "aarch64-unknown-linux-gnu", cpuFlags: undefined };
  assert.equal(platformProblem(arm), undefined);
  assert.equal(platformProblem({ ...arm, os: "darwin", target: "aarch64-apple-darwin" }), undefined);
  assert.match(platformProblem({ ...linux, os: "darwin" })!, /no TensorFlow library for darwin on x86_64/);
  assert.match(platformProblem({ ...linux, os: "windows" })!, /no TensorFlow library for windows/);
});

Deno.test("the cache lies where the operating system or XDG_CACHE_HOME wants it", () => {
  assert.equal(cacheDirectory({ home: "/home/ada", os: "linux" }), "/home/ada/.cache/weft/tensorflow");
  assert.equal(cacheDirectory({ home: "/Users/ada", os: "darwin" }), "/Users/ada/Library/Caches/weft/tensorflow");
  assert.equal(cacheDirectory({ cacheHome: "/scratch", home: "/home/ada" }), "/scratch/weft/tensorflow");
});

Deno.test("environment variables name the library, the cache and the threads", () => {
  assert.deepEqual(
    configurationFrom({ TENSORFLOW_LIB_DIR: "/tf", XDG_CACHE_HOME: "/c", TF_NUM_INTRAOP_THREADS: "3", PATH: "/bin" }),
    { libraryDirectory: "/tf", cacheHome: "/c", intraOpThreads: 3, interOpThreads: undefined },
  );
  assert.equal(configurationFrom({ TENSORFLOW_LIB_DIR: "", TF_NUM_INTEROP_THREADS: "0" }).interOpThreads, undefined);
  for (const text of ["two", "-1", "1.5", "NaN"]) {
    assert.throws(() => configurationFrom({ TF_NUM_INTEROP_THREADS: text }), {
      name: "RangeError",
      message:
        `The environment variable TF_NUM_INTEROP_THREADS=${text} must be a number of threads: set it to 1 or more, or unset it`,
    });
  }
});
