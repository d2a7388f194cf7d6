import assert from "node:assert/strict";

Deno.test("when one rank's training step throws, the others' collective rejects and names it, and the launcher names it too", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "launcher/main.ts", "--devices", "3", "tests/fabric/scripts/failing_fit.ts"],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  const out = new TextDecoder().decode(stdout), err = new TextDecoder().decode(stderr);
  assert.equal(code, 1, err);
  assert.match(out, /\[rank 1\] Error: rank 1 lost its data/);
  for (const rank of [0, 2]) {
    assert.match(
      out,
      new RegExp(`\\[rank ${rank}\\] RankFailedError: .*rank 1.*lost its data`),
      `rank ${rank}:\n${out}\n${err}`,
    );
  }
  assert.match(err, /rank 1 failed with exit code 1, and was the first to fail[\s\S]*rank 1 lost its data/);
});
