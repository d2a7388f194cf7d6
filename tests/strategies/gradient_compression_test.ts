import assert from "node:assert/strict";
import { DDPStrategy } from "../../strategies/ddp.ts";

interface Run {
  accuracy: number;
  same: boolean;
  weights: number[];
}

async function train(ranks: number, compression: string, steps: number): Promise<Run> {
  const output = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const script = "tests/strategies/scripts/train_compressed.ts";
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "launcher/main.ts", "--devices", String(ranks), script],
        ...[compression, String(steps), output],
      ],
      cwd: new URL("../../", import.meta.url),
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return JSON.parse(await Deno.readTextFile(output));
  } finally {
    await Deno.remove(output);
  }
}

Deno.test("with gradients of 16 bits two processes learn MNIST as well as with float32", async (t) => {
  const exact = await train(2, "none", 500);
  assert.ok(exact.accuracy > 0.93, `float32 came to ${exact.accuracy}`);
  for (const compression of ["fp16", "bf16"]) {
    await t.step(compression, async () => {
      const run = await train(2, compression, 500);
      assert.ok(run.same, "the ranks differ");
      assert.notDeepEqual(run.weights, exact.weights, "nothing was compressed");
      assert.ok(Math.abs(run.accuracy - exact.accuracy) <= 0.003, `${run.accuracy}, with float32 ${exact.accuracy}`);
    });
  }
});

Deno.test("three processes, which share the summing, end with the same bytes", async () => {
  for (const compression of ["fp16", "bf16"]) {
    assert.ok((await train(3, compression, 15)).same, `the ranks differ with ${compression}`);
  }
});

Deno.test("a compression that does not exist is an error that names those that do", () => {
  // deno-lint-ignore no-explicit-any
  const wrong = (gradientCompression: any) => () => new DDPStrategy({ gradientCompression });
  for (const value of ["int8", 16, null]) assert.throws(wrong(value), /TypeError.*must be "fp16" or "bf16"/);
  new DDPStrategy({ gradientCompression: undefined });
});
