import assert from "node:assert/strict";
import { flagsFrom } from "../../launcher/deno_flags.ts";

const MEANINGS: [string, string, string[], string[] | undefined][] = [
  ["permissions and configuration", "deno run -A --config c.json main.ts a b", ["a", "b"], [
    "run",
    "-A",
    "--config",
    "c.json",
  ]],
  ["flags before run", "deno --quiet run -A main.ts", [], ["run", "--quiet", "-A"]],
  ["an implied run", "deno -A --config c.json main.ts x", ["x"], ["run", "-A", "--config", "c.json"]],
  ["arguments like flags", "deno run -A main.ts run --watch", ["run", "--watch"], ["run", "-A"]],
  ["an inspector", "deno run --inspect-wait=127.0.0.1:9229 -A --inspect main.ts", [], ["run", "-A"]],
  ["watching and reloading", "deno run --watch --reload=https://x -r -A main.ts", [], ["run", "-A"]],
  ["another command", "deno test -A a_test.ts", [], undefined],
  ["an evaluation", "deno eval 1", [], undefined],
  ["arguments that do not fit", "deno run -A main.ts a", ["b"], undefined],
  ["a compiled program", "program", [], undefined],
];
for (const [what, line, args, flags] of MEANINGS) {
  Deno.test(`the flags for ranks are right for ${what}`, () => {
    assert.deepEqual(flagsFrom(line.split(" "), args), flags);
  });
}
