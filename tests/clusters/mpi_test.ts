import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { valueOf } from "../examples/run_example.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { RunKey } from "../../runtime/core/run_key.ts";
import { Network, noNetwork } from "./network.ts";
import { missingPrograms, runProgram } from "./programs.ts";

async function reasonToSkip(): Promise<string | undefined> {
  if (missingPrograms(["mpirun"]).length > 0) return "there is no mpirun here (Debian: openmpi-bin)";
  const { stdout, stderr } = await runProgram("mpirun", ["--version"]);
  return /Open MPI/.test(stdout) ? undefined : `mpirun is not Open MPI's: ${(stdout || stderr).split("\n")[0]}`;
}
const reason = await reasonToSkip();
if (reason) console.log(`skipped: ranks started by Open MPI, because ${reason}`);
const ignore = reason !== undefined;
const noHosts = reason ?? noNetwork();
if (noHosts) console.log(`skipped: ranks started by Open MPI on two hosts, because ${noHosts}`);

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** @param hosts options that say on which hosts, and what the command line begins with. Default: this one */
async function mpirun(
  ranks: number,
  script: string[],
  cwd: string,
  hosts: { prefix: string[]; options: string[] } = HERE,
) {
  const asRoot = Deno.uid() === 0 ? ["--allow-run-as-root"] : [];
  // Two that start at the same time may both want to make the same folder, and one then fails.
  const own = ["--mca", "orte_tmpdir_base", await Deno.makeTempDir({ dir: cwd, prefix: "ompi-" })];
  const args = [...asRoot, ...own, "--oversubscribe", "--bind-to", "none", "-n", String(ranks), ...hosts.options];
  const [program, ...rest] = [...hosts.prefix, "mpirun", ...args, Deno.execPath(), "run", "-A", ...script];
  return await runProgram(program, rest, { cwd });
}
const HERE = { prefix: [], options: [] };

Deno.test({ name: "two processes of mpirun train on MNIST together", ignore }, () =>
  inTemporaryFolder(async (cwd) => {
    const { code, stdout, stderr } = await mpirun(2, [path("../../examples/mnist.ts"), "--epochs", "1"], cwd);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stderr, /Distributed: 2 ranks on 1 host/);
    const lines = stdout.trim().split("\n");
    assert.equal(lines.filter((line) => line.startsWith("val_acc=")).length, 1, stdout);
    assert(valueOf(lines, "val_acc") > 0.93, stdout);
    assert((await Deno.stat(`${cwd}/checkpoints/mnist.safetensors`)).isFile);
  }));

Deno.test({ name: "two runs of mpirun beside each other do not meet", ignore }, () =>
  inTemporaryFolder(async (cwd) => {
    const runs = await Promise.all([2, 3].map((ranks) => mpirun(ranks, [path("scripts/meet.ts")], cwd)));
    for (const { code, stdout, stderr } of runs) assert.equal(code, 0, stdout + stderr);
    const met = runs.map(({ stdout }) => stdout.split("\n").filter((line) => line.startsWith("met ")).sort());
    assert.deepEqual(met, [
      [0, 1].map((rank) => `met rank=${rank} local=${rank} world=2 sum=3`),
      [0, 1, 2].map((rank) => `met rank=${rank} local=${rank} world=3 sum=6`),
    ]);
  }));

Deno.test(
  { name: "a process of mpirun that throws ends the run with its error", ignore },
  () =>
    inTemporaryFolder(async (cwd) => {
      const { code, stdout, stderr } = await mpirun(2, [path("scripts/meet.ts"), "--fail", "1"], cwd);
      assert.notEqual(code, 0);
      assert.match(stderr, /this rank fails on purpose/);
      assert.doesNotMatch(stdout, /met/);
    }),
);

/** Writes the program by which mpirun starts something on another host, as `ssh` would. */
async function writeAgent(file: string, network: Network): Promise<void> {
  const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
  const cases = network.addresses.map((_, host) =>
    `host${host}) shift; exec ${network.prefix(host).map(quote).join(" ")} sh -c "$*" ;;`
  );
  await Deno.writeTextFile(file, `#!/bin/sh\ncase "$1" in\n${cases.join("\n")}\nesac\n`, { mode: 0o755 });
}

Deno.test({
  name: "mpirun on two hosts, each a network namespace",
  ignore: noHosts !== undefined,
  fn: async (t) => {
    await using network = await Network.start(2);
    const onTwo = (ranks: number, script: string[], places: string, more: string[] = ["MASTER_ADDR=host0"]) =>
      inTemporaryFolder(async (cwd) => {
        await writeAgent(`${cwd}/agent`, network);
        await Deno.writeTextFile(`${cwd}/run.key`, RunKey.random().toText(), { mode: 0o600 });
        const variables = [`WEFT_RUN_KEY_FILE=${cwd}/run.key`, ...more].flatMap((variable) => ["-x", variable]);
        const options = ["--mca", "plm_rsh_agent", `${cwd}/agent`, "--host", places, ...variables];
        return await mpirun(ranks, script, cwd, { prefix: network.prefix(0), options });
      });

    await t.step("two ranks on each learn MNIST to the same weights", async () => {
      const script = [path("scripts/train_mnist.ts"), "20"];
      const { code, stdout, stderr } = await onTwo(4, script, "host0:2,host1:2");
      assert.equal(code, 0, stdout + stderr);
      assert.match(stderr, /Distributed: 4 ranks on 2 hosts/);
      const weights = stdout.match(/weights [0-9a-f]{64} after 20/g) ?? [];
      assert.deepEqual([weights.length, new Set(weights).size], [4, 1], stdout);
    });

    await t.step("hosts may have different numbers of ranks", async () => {
      const { code, stdout, stderr } = await onTwo(3, [path("scripts/meet.ts")], "host0:1,host1:2");
      assert.equal(code, 0, stdout + stderr);
      assert.match(stderr, /Distributed: 3 ranks on 2 hosts/);
      assert.deepEqual(stdout.match(/^met .*$/gm)?.sort(), [
        "met rank=0 local=0 world=3 sum=6",
        "met rank=1 local=0 world=3 sum=6",
        "met rank=2 local=1 world=3 sum=6",
      ]);
    });

    await t.step("without an address of rank 0 they say what is missing", async () => {
      const { code, stderr } = await onTwo(2, [path("scripts/meet.ts")], "host0:1,host1:1", []);
      assert.notEqual(code, 0);
      assert.match(
        stderr,
        /Open MPI started ranks on 2 hosts, but does not say which of them has rank 0: set MASTER_ADDR/,
      );
    });
  },
});
