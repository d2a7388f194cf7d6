import assert from "node:assert/strict";
import { launchRanks } from "../../launcher/launch.ts";
import { startLauncher } from "./run_launcher.ts";
import { Witness } from "./witness.ts";

const SCRIPT = new URL("./scripts/launch_itself.ts", import.meta.url);
const DEVICES = { accelerator: "wasm", indices: [0] } as const;

async function run(...args: string[]) {
  await using program = startLauncher(args, { launcher: SCRIPT.href });
  const { code, stdout, stderr } = await program.end();
  return { code, stderr, lines: stdout.trim().split("\n") };
}

Deno.test("a program that starts its own ranks gets what rank 0 left in the store", async () => {
  const { code, lines, stderr } = await run("a", "b");
  assert.equal(code, 0, stderr);
  assert.deepEqual(lines.slice(0, 2).sort(), ["[rank 0] args a,b main true", "[rank 1] args a,b main true"]);
  assert.deepEqual(JSON.parse(lines[2]), { exitCode: 0, failed: false, result: "42" });
});

Deno.test("a program whose ranks fail is told, and goes on", async () => {
  const { code, lines, stderr } = await run("fail");
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(lines.at(-1)!), { exitCode: 6, failed: true });
  assert.match(stderr, /weft: rank [01] failed with exit code 6, and was the first to fail/);
});

Deno.test("an abort signal ends the ranks as TERM does", async () => {
  await using witness = new Witness();
  await using program = startLauncher(["abort"], { launcher: SCRIPT.href, env: { WITNESS: witness.port } });
  const ranks = await Promise.all(["rank 0", "rank 1"].map((name) => witness.arrival(name)));
  await (await witness.arrival("parent")).tell();
  const { stdout } = await program.end();
  await Promise.all(ranks.map((rank) => rank.gone));
  assert.match(stdout, /\{"exitCode":143,"failed":false,"stoppedBy":"SIGTERM"\}\n$/);
});

Deno.test("hosts that contradict each other are an error before anything is started", async () => {
  for (
    const [options, message] of [
      [{ numNodes: 0 }, /must be a positive integer, but is 0/],
      [{ numNodes: 2, nodeRank: 2, mainPort: 5000 }, /must be 0 to 1/],
      [{ numNodes: 2 }, /same main-port/],
      [{ mainAddress: "10.1.2.3" }, /can be reached from other hosts.*--key-file/],
      [{ numNodes: 2, mainAddress: "10.1.2.3", mainPort: 5000 }, /encrypted with a key.*openssl.*--key-file run\.key/],
    ] as const
  ) await assert.rejects(launchRanks(SCRIPT, { devices: DEVICES, ...options }), message);
});
