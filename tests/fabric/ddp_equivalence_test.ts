import assert from "node:assert/strict";

interface Run {
  losses: number[];
  weights: number[];
  /** Whether all ranks ended with the same bytes. */
  same: boolean;
}

const root = new URL("../../", import.meta.url);

/** Trains in `ranks` processes and returns what they came to. */
async function train(
  ranks: number,
  options: { optimizer: string; batchSize: number; strategy: string; steps: number },
): Promise<Run> {
  const output = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const { optimizer, batchSize, strategy, steps } = options;
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "launcher/main.ts", "--devices", String(ranks), "tests/fabric/scripts/train_mlp.ts"],
        ...[optimizer, String(batchSize), strategy, String(steps), output],
      ],
      cwd: root,
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return JSON.parse(await Deno.readTextFile(output));
  } finally {
    await Deno.remove(output);
  }
}

function furthest(a: readonly number[], b: readonly number[]): number {
  assert.equal(a.length, b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

Deno.test("two ranks with batch 50 end with the weights of one with batch 100, after 200 steps of SGD", async () => {
  const one = await train(1, { optimizer: "sgd", batchSize: 100, strategy: "ddp", steps: 200 });
  const two = await train(2, { optimizer: "sgd", batchSize: 50, strategy: "ddp", steps: 200 });
  assert.ok(two.same, "the ranks differ");
  assert.ok(one.losses[199] < one.losses[0] / 2, "it learned nothing");
  assert.ok(furthest(one.weights, two.weights) < 1e-5, `weights differ by ${furthest(one.weights, two.weights)}`);
});

Deno.test("strategy dp splits the batch: two ranks with batch 100 lose under Adam as one does", async () => {
  const one = await train(1, { optimizer: "adam", batchSize: 100, strategy: "dp", steps: 100 });
  const two = await train(2, { optimizer: "adam", batchSize: 100, strategy: "dp", steps: 100 });
  assert.ok(two.same, "the ranks differ");
  assert.ok(furthest(one.losses, two.losses) < 1e-3, `losses differ by ${furthest(one.losses, two.losses)}`);
});

Deno.test("three ranks with an odd share end with the same bytes on every rank", async () => {
  const three = await train(3, { optimizer: "sgd", batchSize: 7, strategy: "ddp", steps: 20 });
  assert.ok(three.same, "the ranks differ");
  assert.equal(three.losses.length, 20);
});
