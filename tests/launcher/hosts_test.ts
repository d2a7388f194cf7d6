import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Fault } from "../faults/fault.ts";
import { type RunningLauncher, startLauncher } from "./run_launcher.ts";
import { fileAppears } from "../file_appears.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const SCRIPT = fileURLToPath(new URL("../faults/scripts/reduce.ts", import.meta.url));

function freePort(): string {
  using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return String((free.addr as Deno.NetAddr).port);
}

/** A launcher of one host. */
function host(node: string, run: { options: string[]; fault: object; folder: string }): RunningLauncher {
  const fault = JSON.stringify({ place: "training step", step: 7, ...run.fault });
  return startLauncher(["--node-rank", node, ...run.options, SCRIPT, fault], { env: { FAULT_FOLDER: run.folder } });
}

/** Two launchers, as on two hosts, with two ranks each. */
async function withHosts(
  options: string[],
  fault: Partial<Omit<Fault, "kind">> & { kind: Fault["kind"] | "wait" },
  f: (hosts: { zero: RunningLauncher; one: RunningLauncher; folder: string }) => Promise<void>,
): Promise<void> {
  const all = ["--num-nodes", "2", "--main-port", freePort(), "--devices", "2", ...options];
  await inTemporaryFolder(async (folder) => {
    // In any order.
    await using one = host("1", { options: all, fault, folder });
    await using zero = host("0", { options: all, fault, folder });
    await f({ zero, one, folder });
  });
}

Deno.test("a rank that fails on one host ends the run on all, with the same cause and exit code", () =>
  withHosts([], { kind: "kill", rank: 3 }, async ({ zero, one }) => {
    for (const { code, stderr } of await Promise.all([zero.end(), one.end()])) {
      assert.equal(code, 137, stderr);
      assert.match(stderr, /^weft: rank 3 was killed by SIGKILL, and was the first to fail\n {2}on \S+, at step 7/m);
    }
  }));

for (const rank of [0, 1]) {
  Deno.test(`a rank that exits with 0 while only one on another host waits for it is the cause on both: rank ${rank}`, () =>
    withHosts(["--devices", "1"], { kind: "exit", rank }, async ({ zero, one }) => {
      for (const { code, stderr } of await Promise.all([zero.end(), one.end()])) {
        assert.equal(code, 1, stderr);
        const words = `weft: rank ${rank} exited with code 0 while the others waited for it, and was the first to fail`;
        assert.ok(stderr.includes(`${words}\n  on `), stderr);
      }
    }));
}

Deno.test("all hosts start the run again together, and it ends with the bytes of an undisturbed one", async () => {
  const results: Uint8Array[] = [];
  for (const rank of [1, 2, 99]) {
    await withHosts(["--max-restarts", "1", "--restart-delay", "0.01"], { kind: "throw", rank }, async (hosts) => {
      const { zero, one, folder } = hosts;
      for (const { code, stderr } of await Promise.all([zero.end(), one.end()])) {
        assert.equal(code, 0, stderr);
        if (rank !== 99) assert.match(stderr, /^weft: finished after 1 restart$/m);
      }
      results.push(await Deno.readFile(`${folder}/result`));
    });
  }
  assert.deepEqual(results[0], results[2]);
  assert.deepEqual(results[1], results[2]);
});

Deno.test("hosts whose scripts, or what these import, differ do not start, and both say what differs", () =>
  inTemporaryFolder(async (folder) => {
    const options = ["--num-nodes", "2", "--main-port", freePort(), "--devices", "1"];
    const scripts = await Promise.all(["one", "two"].map(async (name) => {
      await Deno.mkdir(`${folder}/${name}`);
      await Deno.writeTextFile(`${folder}/${name}/train.ts`, `import "./net.ts";`);
      await Deno.writeTextFile(`${folder}/${name}/net.ts`, `console.log("layer ${name}");`);
      return `${folder}/${name}/train.ts`;
    }));
    await using one = startLauncher(["--node-rank", "1", ...options, scripts[1], "--epochs", "5"]);
    await using zero = startLauncher(["--node-rank", "0", ...options, scripts[0], "--epochs", "6"]);
    for (const { code, stdout, stderr } of await Promise.all([zero.end(), one.end()])) {
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert.match(
        stderr,
        /^weft: the host with node rank 1 .*: the source of net\.ts \("\w{12}" there, "\w{12}" here\), the script's arguments \("--epochs 5" there, "--epochs 6" here\)\. All hosts of a run need the same$/m,
      );
    }
  }));

for (const lost of ["zero", "one"] as const) {
  Deno.test(`a host that is gone ends the run on the other: host ${lost}`, () =>
    // A rank that waits for nothing holds all up until the host is gone.
    withHosts(["--heartbeat-timeout", "3"], { kind: "wait", rank: lost === "zero" ? 1 : 3 }, async (hosts) => {
      const other = hosts[lost === "zero" ? "one" : "zero"];
      const gone = hosts[lost];
      await fileAppears(`${hosts.folder}/harm`);
      gone.kill("SIGKILL");
      const { code, stderr } = await other.end();
      assert.equal(code, 69, stderr);
      assert.match(
        stderr,
        new RegExp(`node rank ${lost === "zero" ? "0 \\(.*ranks 0 to 1" : "1 \\(.*ranks 2 to 3"}\\) does not answer`),
      );
    }));
}

Deno.test("with --num-nodes MIN:MAX a host joins, and that is no restart", () =>
  inTemporaryFolder(async (folder) => {
    const options = elastic();
    // The first host begins alone. Its rank waits until the run begins again with the other.
    const fault = { kind: "wait" as const, rank: 0 };
    await using zero = host("0", { options, fault, folder });
    await fileAppears(`${folder}/harm`);
    await using one = host("1", { options, fault, folder });
    for (const { code, stderr } of await Promise.all([zero.end(), one.end()])) assert.equal(code, 0, stderr);
    assert.match(zero.stderr, /^weft: the host with node rank 1 joins: ending the ranks, to start again with it$/m);
    assert.match(zero.stderr, /^weft: the hosts have changed: starting again with those that are there$/m);
    assert.doesNotMatch(zero.stderr, /restart/);
  }));

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`with --num-nodes MIN:MAX the others go on without a host that leaves by ${signal}`, () =>
    inTemporaryFolder(async (folder) => {
      const options = elastic(signal === "SIGKILL" ? 3 : 60);
      const fault = { kind: "wait" as const, rank: 3 };
      await using one = host("1", { options, fault, folder });
      await using zero = host("0", { options, fault, folder });
      await fileAppears(`${folder}/harm`);
      one.kill(signal);
      const { code, stderr } = await zero.end();
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^weft: the hosts have changed: starting again with those that are there$/m);
      assert.equal((await one.end()).code, signal === "SIGTERM" ? 143 : 137);
    }));
}

/** Options of launchers of which one may be missing. */
function elastic(heartbeatSeconds = 60): string[] {
  const heartbeat = ["--heartbeat-timeout", String(heartbeatSeconds)];
  return ["--num-nodes", "1:2", "--main-port", freePort(), "--devices", "2", ...heartbeat];
}
