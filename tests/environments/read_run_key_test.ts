import assert from "node:assert/strict";
import { RunKey } from "../../runtime/core/run_key.ts";
import { readRunKey } from "../../runtime/environments/read_run_key.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const TEXT = "0123456789abcdef".repeat(4);

Deno.test("a key comes from the variable, or from the file that one names, and without either there is none", () =>
  inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/key`, `${TEXT}\n`, { mode: 0o600 });
    assert.equal((await readRunKey({ runKey: TEXT }))?.toText(), TEXT);
    assert.equal((await readRunKey({ runKeyFile: `${folder}/key` }))?.toText(), TEXT);
    assert.equal(await readRunKey({}), undefined);
    await assert.rejects(readRunKey({ runKey: TEXT, runKeyFile: `${folder}/key` }), /given twice/);
  }));

for (const mode of [0o640, 0o604, 0o620]) {
  Deno.test({
    name: `a key file of mode ${mode.toString(8)} is refused, because others may know or change the key`,
    ignore: Deno.build.os === "windows",
    fn: () =>
      inTemporaryFolder(async (folder) => {
        await Deno.writeTextFile(`${folder}/key`, TEXT);
        await Deno.chmod(`${folder}/key`, mode);
        await assert.rejects(readRunKey({ runKeyFile: `${folder}/key` }), (error: Error) => {
          assert.match(error.message, new RegExp(`read by others \\(mode ${mode.toString(8)}\\).*chmod 600`));
          return true;
        });
      }),
  });
}

Deno.test("what is no key is refused, and not shown", () =>
  inTemporaryFolder(async (folder) => {
    for (
      const [text, message] of [[TEXT.slice(1), /has 63 characters/], [`g${TEXT.slice(1)}`, /not all of them/]] as const
    ) {
      await Deno.writeTextFile(`${folder}/key`, text, { mode: 0o600 });
      for (const settings of [{ runKey: text }, { runKeyFile: `${folder}/key` }]) {
        await assert.rejects(readRunKey(settings), (error: Error) => {
          assert.match(error.message, message);
          assert.doesNotMatch(Deno.inspect(error), new RegExp(text));
          return true;
        });
      }
    }
    await assert.rejects(readRunKey({ runKeyFile: `${folder}/none` }), /cannot be read.*openssl rand -hex 32/);
    await assert.rejects(readRunKey({ runKeyFile: folder }), /holds no run's key/);
  }));

Deno.test("a key does not show itself when what holds it is printed", () => {
  const key = RunKey.parse(TEXT);
  for (const shown of [Deno.inspect({ key }), JSON.stringify({ key }), String(key)]) assert.ok(!shown.includes(TEXT));
});
