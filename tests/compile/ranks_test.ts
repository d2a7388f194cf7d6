import assert from "node:assert/strict";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { assertClose } from "./train.ts";

const root = new URL("../../", import.meta.url);

async function train(...args: string[]): Promise<{ losses: number[]; digests: string[]; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "launcher/main.ts", "--devices", "2", "tests/compile/scripts/train_ranks.ts", ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  const err = new TextDecoder().decode(stderr);
  assert.equal(code, 0, err);
  const result = new TextDecoder().decode(stdout).match(/RESULT (.*)$/m);
  assert.ok(result, err);
  const { losses, digests, isShared } = JSON.parse(result[1]);
  assert.equal(isShared, Deno.build.os === "linux");
  return { losses, digests, err };
}

tensorflowTest(
  "two ranks of compiled steps compute what two ranks op by op do, and end with the same bytes",
  async () => {
    const plain = await train("false");
    for (const compile of ["graph", "xla"]) {
      const compiled = await train(compile);
      assert.match(compiled.err, /was recorded \(\d+ ops\)/);
      assert.doesNotMatch(compiled.err, /warning/);
      assertClose(compiled.losses, plain.losses, 1e-5, `losses with ${compile}`);
      assert.equal(compiled.digests[0], compiled.digests[1]);
    }
  },
);

tensorflowTest("a rank with compiled steps and one op by op end with the same bytes", async () => {
  const { digests, err } = await train("xla", "mixed");
  assert.match(err, /was recorded \(\d+ ops\)/);
  assert.equal(digests[0], digests[1]);
});
