import assert from "node:assert/strict";
import { purposeNumber } from "../../runtime/comm/frame.ts";

async function* typescriptFiles(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* typescriptFiles(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

Deno.test("each purpose that the library gives a collective has a number of its own, and none has that of no purpose", async () => {
  const purposes = new Set<string>();
  for (const folder of ["runtime", "strategies"]) {
    for await (const file of typescriptFiles(new URL(`../../${folder}/`, import.meta.url))) {
      // Examples in comments are none of the library's.
      const code = (await Deno.readTextFile(file)).replaceAll(/^\s*(\*|\/\/).*$/gm, "");
      for (const [, words] of code.matchAll(/\bpurpose(?::| =) "([^"]+)"/g)) purposes.add(words);
    }
  }
  for (const known of ["fabric.save", "fabric.join", "the gradients", "ModelCheckpoint", "fabric.broadcast"]) {
    assert.ok(purposes.has(known), `${known} is not among ${[...purposes]}`);
  }
  const numbers = new Map([["", purposeNumber(undefined)]]);
  for (const purpose of purposes) numbers.set(purpose, purposeNumber(purpose));
  assert.equal(new Set(numbers.values()).size, purposes.size + 1, JSON.stringify([...numbers]));
});
