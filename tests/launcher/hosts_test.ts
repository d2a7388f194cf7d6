import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Fault } from "../faults/fault.ts";
import { type RunningLauncher, startLauncher } from "./run_launcher.ts";

const SCRIPT = fileURLToPath(new URL("../faults/scripts/reduce.ts", import.meta.url));

/** Two launchers, as on two hosts, with two ranks each. */
async function withHosts(
  options: string[],
  fault: Partial<Omit<Fault, "kind">> & { kind: Fault["kind"] | "wait" },
  f: (hosts: { zero: RunningLauncher; one: RunningLauncher; folder: string }) => Promise<void>,
): Promise<void> {
  using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = String((free.addr as Deno.NetAddr).port);
  free.close();
  const folder = await Deno.makeTempDir();
  const start = (node: string) =>
    startLauncher([
      ...["--num-nodes", "2", "--node-rank", node, "--main-port", port, "--devices", "2", ...options],
      ...[SCRIPT, JSON.stringify({ place: "training step", step: 7, ...fault })],
    ], { env: { FAULT_FOLDER: folder } });
  try {
    // In any order.
    await using one = start("1");
    await using zero = start("0");
    await f({ zero, one, folder });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a rank that fails on one host ends the run on all, with the same cause and exit code", () =>
  withHosts([], { kind: "kill", rank: 3 }, async ({ zero, one }) => {
    for (const { code, stderr } of await Promise.all([zero.end(), one.end()])) {
      assert.equal(code, 137, stderr);
      assert.match(stderr, /^weft: rank 3 was killed by SIGKILL, and was the first to fail\n {2}on \S+, at step 7/m);
    }
  }));

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

for (const lost of ["zero", "one"] as const) {
  Deno.test(`a host that is gone ends the run on the other: host ${lost}`, () =>
    // A rank that waits for nothing holds all up until the host is gone.
    withHosts(["--heartbeat-timeout", "2"], { kind: "wait", rank: lost === "zero" ? 1 : 3 }, async (hosts) => {
      const other = hosts[lost === "zero" ? "one" : "zero"];
      const gone = hosts[lost];
      await fileAppears(`${hosts.folder}/harm`);
      gone.kill("SIGKILL");
      const { code, stderr } = await other.end();
      assert.equal(code, 69, stderr);
      assert.match(stderr, new RegExp(`the host with node rank ${lost === "zero" ? 0 : 1} does not answer any more`));
    }));
}

/** Resolves when a file is there, in a folder that is. */
async function fileAppears(path: string): Promise<void> {
  const watcher = Deno.watchFs(path.slice(0, path.lastIndexOf("/")));
  const exists = () => Deno.stat(path).then(() => true, () => false);
  if (await exists()) return watcher.close();
  for await (const _ of watcher) if (await exists()) break;
}
