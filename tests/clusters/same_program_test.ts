import assert from "node:assert/strict";
import { RunKey } from "../../runtime/core/run_key.ts";
import { programDifference } from "../../runtime/fabric/same_program.ts";
import { useProjectPackages } from "../project_packages.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { Network, noNetwork } from "./network.ts";

const reason = noNetwork();
if (reason) console.log(`skipped: ranks without a launcher that compare their scripts, because ${reason}`);

/** Runs a rank on each of two hosts, with the scripts of these sources in folders of their own; returns how they ended. */
async function meetWith(sources: readonly [name: string, text: string][]) {
  return await inTemporaryFolder(async (folder) => {
    await useProjectPackages(folder);
    await using network = await Network.start(2);
    const key = RunKey.random().toText();
    return await Promise.all(sources.map(async ([name, text], rank) => {
      await Deno.mkdir(`${folder}/${rank}`);
      const script = `${folder}/${rank}/${name}`;
      await Deno.writeTextFile(script, text);
      const env = {
        ...{ RANK: String(rank), LOCAL_RANK: "0", WORLD_SIZE: "2", LOCAL_WORLD_SIZE: "1", WEFT_RUN_KEY: key },
        ...{ MASTER_ADDR: network.addresses[0], MASTER_PORT: "29500" },
      };
      return await network.run(rank, [Deno.execPath(), "run", "-A", script], env);
    }));
  });
}

const MEET = `import ${JSON.stringify(new URL("scripts/meet.ts", import.meta.url))};\n`;

Deno.test({
  name: "ranks without a launcher whose script has the same content, wherever it lies, meet",
  ignore: !!reason,
}, async () => {
  for (const { code, stdout, stderr } of await meetWith([["train.ts", MEET], ["copy.ts", MEET]])) {
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^met rank=\d local=0 world=2 sum=3$/m);
  }
});

Deno.test({ name: "ranks without a launcher whose scripts differ say so on all hosts", ignore: !!reason }, async () => {
  for (const { code, stderr } of await meetWith([["train.ts", MEET], ["train.ts", `${MEET}// An older state.\n`]])) {
    assert.equal(code, 1);
    assert.match(
      stderr,
      /RangeError: rank 1 on host1 differs from rank 0 on host0, which says this: the source of the script \("[0-9a-f]{12}" there, "[0-9a-f]{12}" here\)\. All ranks of a run need the same/,
    );
  }
});

Deno.test("of several hosts the first that differs is named; what only one could find out is not compared", () => {
  const on = (host: string, facts: Record<string, string>) => ({ host, facts });
  const same = { Weft: "a", Deno: "2.9.6", "the source of net.ts": "b" };
  const { Weft: _, ...less } = same;
  assert.equal(
    programDifference([on("x", same), null, on("y", less), null, on("z", { ...same, more: "c" })]),
    undefined,
  );
  assert.equal(
    programDifference([on("x", same), null, on("y", { ...less, Deno: "2.9.5" }), on("z", { Weft: "d" })]),
    'rank 2 on y differs from rank 0 on x, which says this: Deno ("2.9.5" there, "2.9.6" here). All ranks of a run need the same',
  );
});
