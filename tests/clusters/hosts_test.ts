import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { RunKey } from "../../runtime/core/run_key.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { Network, noNetwork } from "./network.ts";
import { runProgram } from "./programs.ts";

const reason = noNetwork();
if (reason) console.log(`skipped: runs across hosts in network namespaces, because ${reason}`);

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const MEET = path("scripts/meet.ts");
/** A network as between cities: 20 ms one way, and one packet of a hundred is lost. */
const FAR = { delayMs: 20, loss: 0.01, seed: 6 };

/** The launcher's options on a host. */
function on(host: number, run: { network: Network; hosts: string; keyFile: string; mainAddress?: string }): string[] {
  const { network, hosts, keyFile, mainAddress = network.addresses[0] } = run;
  return [
    ...["--num-nodes", hosts, "--node-rank", String(host), "--main-address", mainAddress, "--main-port", "29400"],
    ...["--key-file", keyFile, "--accelerator", "wasm"],
  ];
}

Deno.test({
  name: "runs across hosts in network namespaces",
  ignore: reason !== undefined,
  fn: async (t) => {
    await t.step(
      "launchers of two hosts meet, by name, and node 0 makes the key",
      () =>
        inTemporaryFolder(async (folder) => {
          await using network = await Network.start(2, FAR);
          const run = { network, hosts: "2", keyFile: `${folder}/run.key`, mainAddress: "host0" };
          // The other one first. It waits for the key, then for the store.
          await using one = network.launch(1, [...on(1, run), "--devices", "2", MEET]);
          await one.until(/waiting for the key/);
          await using zero = network.launch(0, [...on(0, run), "--devices", "2", MEET]);
          const ended = [await zero.end(), await one.end()];
          for (const { code, stderr } of ended) assert.equal(code, 0, stderr);
          assert.match(ended[0].stderr, /Distributed: 4 ranks on 2 hosts/);
          assert.deepEqual(ended.map(({ stdout }) => stdout.trim().split("\n").sort()), [
            ["[rank 0] met rank=0 local=0 world=4 sum=10", "[rank 1] met rank=1 local=1 world=4 sum=10"],
            ["[rank 2] met rank=2 local=0 world=4 sum=10", "[rank 3] met rank=3 local=1 world=4 sum=10"],
          ]);
          const key = (await Deno.readTextFile(run.keyFile)).trim();
          for (const { stdout, stderr } of ended) assert.ok(!(stdout + stderr).includes(key));
        }),
    );

    await t.step("ranks that torchrun's variables tell who they are meet across four hosts", async () => {
      await using network = await Network.start(4, FAR);
      const key = RunKey.random().toText();
      const started = [3, 1, 0, 2].map((host) => {
        const [program, ...args] = [...network.prefix(host), Deno.execPath(), "run", "-A", MEET];
        const env = {
          ...{ RANK: String(host), LOCAL_RANK: "0", WORLD_SIZE: "4", LOCAL_WORLD_SIZE: "1", WEFT_RUN_KEY: key },
          ...{ MASTER_ADDR: network.addresses[0], MASTER_PORT: "29500" },
        };
        return runProgram(program, args, { env });
      });
      for (const { code, stdout, stderr } of await Promise.all(started)) {
        assert.equal(code, 0, stderr);
        assert.match(stdout, /^met rank=\d local=0 world=4 sum=10$/m);
      }
    });
  },
});
