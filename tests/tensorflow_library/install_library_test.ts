import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { findPip } from "../../runtime/tensorflow_library/find_pip.ts";
import { installLibrary, type InstallLibraryOptions } from "../../runtime/tensorflow_library/install_library.ts";
import { libraryFiles } from "../../runtime/tensorflow_library/library_files.ts";
import { type Wheel, wheelsFor } from "../../runtime/tensorflow_library/wheels.ts";
import { fakePython, type FakePythonOptions } from "./fake_python.ts";
import { fakeWheel, type FakeWheelOptions } from "./fake_wheel.ts";

const [framework, api] = libraryFiles() ?? [];
if (!api) console.log(`skipped: the installation of a library, because there is none for ${Deno.build.os}`);

const FILES = {
  [`tensorflow/${framework}`]: "the framework",
  [`tensorflow/${api}`]: "the API",
  "tensorflow/python/big.py": "not needed",
  "tensorflow_cpu-2.21.0.dist-info/LICENSE": "the licence",
};

interface Stage {
  /** A wheel like TensorFlow's, pinned by what it is. */
  wheel: Wheel;
  options: InstallLibraryOptions;
  /** The folder to install to is in it, and nothing else. */
  home: string;
  said: string[];
}

/** A test with a wheel, a Python whose pip gives it, and an empty place to install to. */
function installing(
  name: string,
  made: FakeWheelOptions & FakePythonOptions & { files?: Record<string, string> },
  run: (stage: Stage) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: !api,
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        const bytes = fakeWheel(made.files ?? FILES, made), path = `${folder}/tensorflow_cpu-2.21.0-py3.whl`;
        await Deno.writeFile(path, bytes);
        const python = await fakePython(folder, { wheel: path, ...made });
        const home = `${folder}/home`, said: string[] = [];
        await Deno.mkdir(home);
        const [{ needed }] = wheelsFor({ os: "linux", arch: "x86_64" });
        await run({
          home,
          said,
          wheel: {
            ...{ project: "tensorflow-cpu", version: "2.21.0", platforms: ["manylinux_2_27_x86_64"], needed },
            sha256: createHash("sha256").update(bytes).digest("hex"),
          },
          options: {
            ...{ folder: `${home}/2.21.0`, requiredBytes: 1 },
            pip: await findPip(["/no/such/python", python]),
            say: (line) => void said.push(line),
          },
        });
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

const list = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

installing(
  "what is needed of a wheel is unpacked, with a note of what it is",
  {},
  async ({ wheel, options, home, said }) => {
    const directory = await installLibrary([wheel], options);
    assert.equal(directory, `${home}/2.21.0/tensorflow`);
    assert.deepEqual(list(directory), [framework, api, "weft.json"].sort());
    assert.equal(await Deno.readTextFile(`${directory}/${api}`), "the API");
    assert.equal(await Deno.readTextFile(`${home}/2.21.0/tensorflow_cpu-2.21.0.dist-info/LICENSE`), "the licence");
    assert.deepEqual(JSON.parse(await Deno.readTextFile(`${directory}/weft.json`)), {
      ...{ version: "2.21.0", cuda: false, wheel: "tensorflow_cpu-2.21.0-py3.whl", sha256: wheel.sha256 },
    });
    assert.deepEqual(list(home), ["2.21.0"]);
    assert.deepEqual(said, [
      "downloading tensorflow-cpu 2.21.0",
      "checked tensorflow_cpu-2.21.0-py3.whl: it is the pinned one",
    ]);
    const asked = await Deno.readTextFile(`${home}/../arguments`);
    assert.match(asked, /-m pip download --no-deps .*--platform=manylinux_2_27_x86_64 .*tensorflow-cpu==2\.21\.0/);
  },
);

installing("an installation replaces the one before as a whole", {}, async ({ wheel, options }) => {
  await Deno.mkdir(`${options.folder}/tensorflow`, { recursive: true });
  await Deno.writeTextFile(`${options.folder}/tensorflow/stale`, "");
  assert.deepEqual(list(await installLibrary([wheel], options)), [framework, api, "weft.json"].sort());
});

installing("a wheel that is not the pinned one is not used", {}, async ({ wheel, options, home }) => {
  await assert.rejects(
    () => installLibrary([{ ...wheel, sha256: "0".repeat(64) }], options),
    /is not the wheel that was pinned: its sha256 is [0-9a-f]{64}, not 0{64}\. Nothing of it is used/,
  );
  assert.deepEqual(list(home), []);
});

installing("a version that is not pinned is used and said not to be checked", {}, async ({ wheel, options, said }) => {
  await installLibrary([{ ...wheel, sha256: undefined }], options);
  assert.ok(said.includes("tensorflow_cpu-2.21.0-py3.whl is not pinned: nothing but pip checked it"));
});

installing(
  "a download that fails leaves the installation before as it was",
  { pipCode: 3 },
  async ({ wheel, options, home }) => {
    await Deno.mkdir(`${options.folder}/tensorflow`, { recursive: true });
    await Deno.writeTextFile(`${options.folder}/tensorflow/mine`, "");
    await assert.rejects(
      () => installLibrary([wheel], options),
      /pip could not download tensorflow-cpu 2\.21\.0 \(exit code 3/,
    );
    assert.deepEqual(list(`${options.folder}/tensorflow`), ["mine"]);
    assert.deepEqual(list(home), ["2.21.0"]);
  },
);

installing("a damaged file in a wheel is found", { damaged: true }, async ({ wheel, options, home }) => {
  await assert.rejects(
    () => installLibrary([wheel], options),
    /whl is damaged: tensorflow\/libtensorflow_framework.* has another checksum/,
  );
  assert.deepEqual(list(home), []);
});

installing(
  "a wheel without the libraries is refused, and so is one that is no zip file",
  { files: { "tensorflow-1.0.dist-info/LICENSE": "old" } },
  async ({ wheel, options, home }) => {
    await assert.rejects(() => installLibrary([wheel], options), /lacks .*: this version cannot be used, try 2\.21\.0/);
    const other = { ...wheel, needed: [/^nothing$/] };
    await assert.rejects(() => installLibrary([other], options), /holds none of the files that are needed/);
    const path = `${home}/../tensorflow_cpu-2.21.0-py3.whl`;
    await Deno.writeTextFile(path, "<html>please log in</html>");
    await assert.rejects(() => installLibrary([{ ...wheel, sha256: undefined }], options), /whl is damaged: /);
    assert.deepEqual(list(home), []);
  },
);

installing("a path that leads out of the folder is not followed", {
  files: { "tensorflow/../../../escaped": "", ...FILES },
}, async ({ wheel, options, home }) => {
  await assert.rejects(() => installLibrary([{ ...wheel, needed: [/./] }], options), /invalid relative path/);
  assert.deepEqual(list(home), []);
  assert.ok(!list(`${home}/..`).includes("escaped"));
});

installing(
  "a disk that is too small is noticed before anything is downloaded",
  {},
  async ({ wheel, options, home, said }) => {
    await assert.rejects(
      () => installLibrary([wheel], { ...options, requiredBytes: 1e18 }),
      /the disk of .* has .* left, and 1000000000\.0 GB are needed: make room, or choose a folder on another disk by --dir/,
    );
    assert.deepEqual([list(home), said], [[], []]);
  },
);

installing("an installation that is ended leaves nothing", {}, async ({ wheel, options, home }) => {
  const controller = new AbortController();
  const say = (line: string) => line.startsWith("checked") && controller.abort(new Error("enough"));
  await assert.rejects(() => installLibrary([wheel], { ...options, say, signal: controller.signal }), /enough|abort/);
  assert.deepEqual(list(home), []);
});

Deno.test("a machine without Python, or whose Python has no pip, is told what to install", async () => {
  await assert.rejects(
    () => findPip(["/no/such/python"]),
    /no Python on PATH \(\/no\/such\/python\).*apt install python3-pip/,
  );
  if (Deno.build.os === "windows") {
    return void console.log("skipped: a Python without pip, as the fake one is a shell script");
  }
  const folder = await Deno.makeTempDir();
  try {
    const python = await fakePython(folder);
    await assert.rejects(() => findPip([python]), new RegExp(`${python} has no pip, .*${python} -m ensurepip`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("every machine that TensorFlow is built for has its pinned wheel, and CUDA comes with its libraries", () => {
  for (const [os, arch] of [["linux", "x86_64"], ["linux", "aarch64"], ["darwin", "aarch64"]]) {
    const wheels = wheelsFor({ os, arch });
    assert.equal(wheels.length, 1);
    assert.match(wheels[0].sha256!, /^[0-9a-f]{64}$/);
    assert.equal(wheelsFor({ os, arch, version: "2.20.0" })[0].sha256, undefined);
  }
  const [tensorflow, ...cuda] = wheelsFor({ os: "linux", arch: "x86_64", cuda: true });
  assert.equal(tensorflow.project, "tensorflow");
  assert.ok(cuda.some(({ project }) => project === "nvidia-cudnn-cu12"));
  for (const wheel of cuda) assert.match(wheel.sha256!, /^[0-9a-f]{64}$/);
  assert.throws(
    () => wheelsFor({ os: "darwin", arch: "aarch64", cuda: true }),
    /only for Linux on x64: leave out --cuda/,
  );
  assert.throws(() => wheelsFor({ os: "windows", arch: "x86_64" }), /no TensorFlow for windows on x86_64.*takes wasm/);
});
