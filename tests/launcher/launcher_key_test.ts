import assert from "node:assert/strict";
import { launcherKey } from "../../launcher/launcher_key.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { script, startLauncher } from "./run_launcher.ts";

Deno.test("the launcher of node 0 makes a key file that only its owner can read, and those of other nodes wait for it", () =>
  inTemporaryFolder(async (folder) => {
    const keyFile = `${folder}/run.key`, waiting = Promise.withResolvers<void>();
    const others = [1, 2].map((nodeRank) =>
      launcherKey({ keyFile, nodeRank, waitMs: 60_000, onWait: () => waiting.resolve() })
    );
    await waiting.promise;
    const made = await launcherKey({ keyFile, nodeRank: 0, waitMs: 0 });
    const again = await launcherKey({ keyFile, nodeRank: 0, waitMs: 0 });
    for (const key of [again, ...await Promise.all(others)]) assert.equal(key?.toText(), made?.toText());
    assert.equal((await Deno.stat(keyFile)).mode! & 0o777, 0o600);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["run.key"]);
  }));

Deno.test("a key file that nobody makes, or that cannot be made, is an error that says so", () =>
  inTemporaryFolder(async (folder) => {
    await assert.rejects(
      launcherKey({ keyFile: `${folder}/run.key`, nodeRank: 1, waitMs: 10 }),
      /cannot be read from .*run\.key/,
    );
    await assert.rejects(
      launcherKey({ keyFile: `${folder}/none/run.key`, nodeRank: 0, waitMs: 10 }),
      /cannot be written to .*Give another --key-file/,
    );
  }));

Deno.test("each run on one host has a key of its own, which its ranks share, and which no command line has", async () => {
  const digests: string[] = [];
  for (let run = 0; run < 2; run++) {
    await using launcher = startLauncher(["--devices", "2", script("show_key")]);
    const { code, stdout, stderr } = await launcher.end();
    assert.equal(code, 0, stderr);
    digests.push(...stdout.match(/(?<=key )[0-9a-f]{64}/g)!);
  }
  assert.equal(digests.length, 4);
  assert.equal(new Set(digests.slice(0, 2)).size, 1);
  assert.equal(new Set(digests).size, 2);
});
