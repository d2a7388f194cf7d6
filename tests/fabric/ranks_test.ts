import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url);

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

for (const worldSize of [2, 3]) {
  Deno.test(`${worldSize} ranks agree on everything Fabric offers`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const { code, out, err } = await run(
        "launcher/main.ts",
        "--devices",
        `${worldSize}`,
        "tests/fabric/scripts/two_ranks.ts",
        folder,
      );
      assert.equal(code, 0, err);
      for (let rank = 0; rank < worldSize; rank++) assert.match(out, new RegExp(`\\[rank ${rank}\\] checked`));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("fabric.launch(main) in a plain script returns rank 0's result, and what follows runs once", async () => {
  const { code, out, err } = await run("tests/fabric/scripts/launch_main.ts");
  assert.equal(code, 0, err);
  assert.equal(out.match(/after launch/g)?.length, 1, out);
  assert.match(out, /after launch: \{"sum":3,"of":0,"curve":\[1,2\]\}/);
});

Deno.test("under the launcher fabric.launch(main) returns rank 0's result on every rank", async () => {
  const { code, out, err } = await run("launcher/main.ts", "--devices", "2", "tests/fabric/scripts/launch_main.ts");
  assert.equal(code, 0, err);
  for (const rank of [0, 1]) assert.match(out, new RegExp(`\\[rank ${rank}\\] after launch: \\{"sum":3,"of":0`));
});

Deno.test("when main throws on one rank, the script fails with that error and names the rank", async () => {
  const { code, err } = await run("tests/fabric/scripts/launch_main.ts", "fail");
  assert.notEqual(code, 0);
  assert.match(err, /rank 1 failed.*rank 1 has had enough/s);
});

Deno.test("a world size that does not fit the environment is an error that names both", async () => {
  const { code, err } = await run("launcher/main.ts", "--devices", "3", "tests/fabric/scripts/launch_main.ts");
  assert.notEqual(code, 0);
  assert.match(err, /devices: 2.*--devices 3/s);
});

Deno.test("a rank that others wait for is named at the end, with how long they waited", async () => {
  const { code, err } = await run("launcher/main.ts", "--devices", "2", "tests/fabric/scripts/slow_rank.ts");
  assert.equal(code, 0, err);
  assert.match(
    err,
    /rank 1 was the slowest: in \d+\.\d s of training the others waited for its gradients \(rank 0 \d+\.\d s\)/,
  );
});
