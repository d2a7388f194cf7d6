import assert from "node:assert/strict";
import { platformProblem } from "../../runtime/tensorflow_library/platform_problem.ts";
import { fakePython, type FakePythonOptions } from "../tensorflow_library/fake_python.ts";
import { fakeWheel } from "../tensorflow_library/fake_wheel.ts";

const problem = platformProblem();
if (problem) console.log(`skipped: setup, because ${problem}`);

/** Runs a command of the launcher with a fake Python, in a home of its own. */
async function run(script: string, args: string[], python: FakePythonOptions & { absent?: boolean } = {}) {
  const folder = await Deno.makeTempDir();
  try {
    const wheel = `${folder}/tensorflow_cpu-2.21.0-py3.whl`;
    await Deno.writeFile(wheel, fakeWheel({ "tensorflow/something": "else" }));
    if (!python.absent) await fakePython(folder, { wheel, ...python });
    const { DENO_DIR = "", HOME = "" } = Deno.env.toObject();
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", new URL(`../../launcher/${script}`, import.meta.url).pathname, ...args],
      // Without the caller's PATH there is no Python but the fake one.
      env: {
        ...{
          PATH: python.absent ? folder : `${folder}:/usr/bin:/bin`,
          XDG_CACHE_HOME: `${folder}/cache`,
          NO_COLOR: "1",
        },
        DENO_DIR: DENO_DIR || (Deno.build.os === "darwin" ? `${HOME}/Library/Caches/deno` : `${HOME}/.cache/deno`),
        ...{ HOME: folder, TENSORFLOW_LIB_DIR: "" },
      },
      clearEnv: true,
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replaceAll(folder, "~");
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function setupTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: problem !== undefined, fn });
}

setupTest("setup explains its options", async () => {
  const { code, stdout } = await run("setup.ts", ["--help"]);
  assert.equal(code, 0);
  for (const option of ["--cuda", "--dir", "--version", "--force"]) assert.ok(stdout.includes(option), stdout);
});

setupTest("setup names an option that it does not have, and the one that was meant", async () => {
  const { code, stderr } = await run("setup.ts", ["--forse"]);
  assert.equal(code, 2);
  assert.match(stderr, /^setup: Unknown option '--forse'.*did you mean --force\?/m);
  const bad = await run("setup.ts", ["--version", "newest"]);
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /`--version newest` is no version: give one such as 2\./);
});

setupTest("setup without Python says what it looked at and what to install, and installs nothing", async () => {
  const { code, stdout, stderr } = await run("setup.ts", [], { absent: true });
  assert.equal(code, 1);
  assert.equal(
    stdout,
    "not used: nothing was set up in ~/cache/weft/tensorflow\nnot used: no Python on PATH (python3, python)\n",
  );
  assert.match(stderr, /setup: there is no Python on PATH.*apt install python3-pip/);
});

setupTest("setup refuses a wheel that is not the pinned one", async () => {
  const { code, stdout, stderr } = await run("setup.ts", []);
  assert.equal(code, 1);
  assert.match(stdout, /downloading tensorflow(-cpu)? 2\.21\.0/);
  assert.match(stderr, /setup: tensorflow_cpu-2\.21\.0-py3\.whl is not the wheel that was pinned/);
});

setupTest("setup passes on that pip failed", async () => {
  const { code, stderr } = await run("setup.ts", ["--force"], { pipCode: 1 });
  assert.equal(code, 1);
  assert.match(stderr, /setup: pip could not download .*Without a network, .*TENSORFLOW_LIB_DIR/s);
});

Deno.test("doctor says what is there and what is not, and nothing of it is a crash", async () => {
  const { code, stdout, stderr } = await run("doctor.ts", [], { absent: true });
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`^deno +${Deno.version.deno.replaceAll(".", "\\.")} `, "m"));
  assert.match(stdout, /^system +\S.* cores.* GiB memory$/m);
  assert.match(stdout, /^libzmq +4\.\d+\.\d+, /m);
  assert.match(stdout, /^tensorflow +none: .*deno task setup/m);
  assert.match(stdout, /^cuda devices +(\d+|none: .+)$/m);
  assert.match(stdout, /^auto takes +\w+$/m);
});
