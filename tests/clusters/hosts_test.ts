import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { RunKey } from "../../runtime/core/run_key.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { Network, noNetwork } from "./network.ts";

const reason = noNetwork();
if (reason) console.log(`skipped: runs across hosts in network namespaces, because ${reason}`);

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const MEET = path("scripts/meet.ts");
const REDUCE = path("scripts/reduce.ts");
const TRAIN = path("scripts/train_mnist.ts");
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
        const env = {
          ...{ RANK: String(host), LOCAL_RANK: "0", WORLD_SIZE: "4", LOCAL_WORLD_SIZE: "1", WEFT_RUN_KEY: key },
          ...{ MASTER_ADDR: network.addresses[0], MASTER_PORT: "29500" },
        };
        return network.run(host, [Deno.execPath(), "run", "-A", MEET], env);
      });
      for (const { code, stdout, stderr } of await Promise.all(started)) {
        assert.equal(code, 0, stderr);
        assert.match(stdout, /^met rank=\d local=0 world=4 sum=10$/m);
      }
    });

    await t.step(
      "the ranks of a host share memory, and between hosts each element goes once each way",
      () =>
        inTemporaryFolder(async (folder) => {
          await using network = await Network.start(2);
          const run = { network, hosts: "2", keyFile: `${folder}/run.key` };
          const floats = 1 << 20, rounds = 4, reduce = ["--devices", "3", REDUCE, String(floats), String(rounds)];
          await using zero = network.launch(0, [...on(0, run), ...reduce]);
          await using one = network.launch(1, [...on(1, run), ...reduce]);
          const ended = [await zero.end(), await one.end()];
          for (const { code, stderr } of ended) assert.equal(code, 0, stderr);
          const said = ended.flatMap(({ stdout }) => stdout.match(/sum [0-9a-f]{64} shares=true$/gm) ?? []);
          assert.deepEqual([said.length, new Set(said).size], [6, 1], ended.map(({ stdout }) => stdout).join());
          // A ring of all six would carry 5/3 of that, and most of it would go through a host twice.
          const least = 2 * rounds * 4 * floats, ratio = await network.bytes() / least;
          assert.ok(ratio > 1 && ratio < 1.25, `${ratio} times the bytes of the arrays`);
        }),
    );

    await t.step(
      "a rank that is killed while the others reduce ends the run on both hosts, with that cause, and leaves no memory",
      () =>
        inTemporaryFolder(async (folder) => {
          await using network = await Network.start(2);
          const run = { network, hosts: "2", keyFile: `${folder}/run.key` };
          const reduce = ["--devices", "2", REDUCE, "100000", "3", "--kill", "3"];
          await using zero = network.launch(0, [...on(0, run), ...reduce]);
          await using one = network.launch(1, [...on(1, run), ...reduce]);
          for (const launcher of [zero, one]) {
            const { code, stderr } = await launcher.end();
            assert.equal(code, 137, stderr);
            assert.match(stderr, /^weft: rank 3 was killed by SIGKILL, and was the first to fail$/m);
            assert.match(stderr, /^ {2}on host1/m);
          }
          const left = Array.from(Deno.readDirSync("/dev/shm")).filter(({ name }) => name.startsWith("weft-"));
          assert.deepEqual(left, []);
        }),
    );

    await t.step(
      "MNIST is trained to the same weights on all ranks, while strangers knock at every port",
      () =>
        inTemporaryFolder(async (folder) => {
          await using network = await Network.start(3, FAR);
          const run = { network, hosts: "2", keyFile: `${folder}/run.key` };
          const train = ["--devices", "2", TRAIN, "20", "2"];
          await using zero = network.launch(0, [...on(0, run), ...train]);
          await using one = network.launch(1, [...on(1, run), ...train]);
          await zero.until(/at step 2/);
          for (const host of [0, 1]) {
            const ports = await network.openPorts(host);
            assert.equal(ports.length, host === 0 ? 3 : 2, "the store and an inbox for each rank");
            const knock = [Deno.execPath(), "run", "-A", path("scripts/knock.ts"), network.addresses[host], ...ports];
            const { stdout, stderr } = await network.run(2, knock);
            assert.equal(stdout, `hung up on ${2 * ports.length} times\n`, stderr);
          }
          // A launcher that comes as node 1 of that run, with a key of its own.
          const stranger = { ...run, keyFile: `${folder}/another.key` };
          await Deno.writeTextFile(stranger.keyFile, RunKey.random().toText(), { mode: 0o600 });
          await using other = network.launch(2, [...on(1, stranger), ...train]);
          const { code, stderr } = await other.end();
          assert.equal(code, 2);
          assert.match(stderr, /^weft: the store at .* refuses this key: .*\. All hosts of a run need the same key/m);
          await zero.until(/^weft: somebody who wants to join the run has another key, and is refused/m);

          const ended = [await zero.end(), await one.end()];
          for (const { code, stderr } of ended) assert.equal(code, 0, stderr);
          const weights = ended.flatMap(({ stdout }) => stdout.match(/weights [0-9a-f]{64} after 20/g) ?? []);
          assert.deepEqual([weights.length, new Set(weights).size], [4, 1], ended.map(({ stdout }) => stdout).join());
          const way =
            /^\[rank 0\] \d+ % of a step \(.* s\) is the all-reduce between hosts: (\d+) ms there and back to host1, /m;
          const [, roundTripMs] = way.exec(ended[0].stderr) ?? assert.fail(ended[0].stderr);
          assert.ok(Number(roundTripMs) >= 2 * FAR.delayMs, `${roundTripMs} ms there and back`);
          assert.match(
            ended[0].stderr,
            /0\.32 MB a step at .* MB\/s\. (Latency|Bandwidth) limits it: accumulate gradients/,
          );
        }),
    );

    await t.step(
      "a host that is cut off during training ends the run on both sides, which name it and its ranks",
      () =>
        inTemporaryFolder(async (folder) => {
          await using network = await Network.start(2, FAR);
          const run = { network, hosts: "2", keyFile: `${folder}/run.key` };
          const train = ["--heartbeat-timeout", "2", "--devices", "1", "--error-file"];
          await using zero = network.launch(0, [...on(0, run), ...train, `${folder}/zero`, TRAIN, "100000", "2"]);
          await using one = network.launch(1, [...on(1, run), ...train, `${folder}/one`, TRAIN, "100000", "2"]);
          await zero.until(/at step 2/);
          await network.cut(1);
          for (const [launcher, name, lost] of [[zero, "zero", 1], [one, "one", 0]] as const) {
            const { code, stderr } = await launcher.end();
            assert.equal(code, 69, stderr);
            const words = `the host with node rank ${lost} (host${lost}, rank ${lost}) does not answer any more`;
            assert.ok(stderr.includes(`\nweft: ${words}\nweft: meanwhile\n  rank ${1 - lost}: at step `), stderr);
            const report = JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
            assert.deepEqual([report.category, report.message], ["infrastructure", words]);
          }
        }),
    );

    await t.step(
      "a connection between ranks that is lost ends the run after the heartbeat's timeout, though the launchers reach each other",
      () =>
        inTemporaryFolder(async (folder) => {
          await using network = await Network.start(2, FAR);
          const run = { network, hosts: "2", keyFile: `${folder}/run.key` };
          const train = ["--heartbeat-timeout", "2", "--devices", "1", TRAIN, "100000", "2"];
          await using zero = network.launch(0, [...on(0, run), ...train]);
          await using one = network.launch(1, [...on(1, run), ...train]);
          await zero.until(/at step 2/);
          await network.cutAllBut(29400);
          const cause =
            /^weft: (rank [01] is cut off, or the rank that it waits for is: .*)\n {2}on host[01], at step/m;
          const said = await Promise.all([zero, one].map(async (launcher) => {
            const { code, stderr } = await launcher.end();
            assert.equal(code, 69, stderr);
            return cause.exec(stderr)?.[1] ?? assert.fail(stderr);
          }));
          assert.equal(said[0], said[1]);
        }),
    );

    await t.step(
      "a host that was cut off comes back, joins the run that went on without it, and ends with it",
      () =>
        inTemporaryFolder(async (folder) => {
          await using network = await Network.start(2, FAR);
          const run = { network, hosts: "1:2", keyFile: `${folder}/run.key` };
          const train = ["--heartbeat-timeout", "2", "--max-restarts", "1", "--devices", "1", TRAIN, "100000", "2"];
          await using zero = network.launch(0, [...on(0, run), ...train]);
          await using one = network.launch(1, [...on(1, run), ...train]);
          await zero.until(/\[rank 0\] at step 2/);
          await network.cut(1);
          // They may have changed before, if one came late.
          await zero.until(
            /does not answer any more[^]*the hosts have changed: starting again with those that are there/,
          );
          await network.cut();
          // With two ranks again.
          await zero.until(/\[rank 0\] at step 2[^]*\[rank 0\] at step 2/);
          zero.kill("SIGTERM");
          for (const { code, stderr } of [await zero.end(), await one.end()]) assert.equal(code, 143, stderr);
          assert.match(one.stderr, /^weft: restart 1 of 1/m);
        }),
    );
  },
});
