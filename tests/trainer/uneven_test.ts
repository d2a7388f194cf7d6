import assert from "node:assert/strict";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import recorded from "../fixtures/strategies/uneven.json" with { type: "json" };

const root = new URL("../../", import.meta.url);

interface Found {
  weights: number[][];
  steps: number;
  batches: number;
  /** What the loggers of rank 0 were given. */
  rows: Record<string, number>[];
}

type Case = "uneven" | "none" | "accumulate";

/** What each of two processes ended with. */
function fit(
  name: Case,
  how: string,
  { accelerator = "wasm", options = [] }: { accelerator?: string; options?: string[] } = {},
): Promise<{ ranks: Found[]; err: string }> {
  return inTemporaryFolder(async (folder) => {
    const file = `${folder}/found.json`;
    const script = ["tests/trainer/scripts/fit_uneven.ts", file, name, how, accelerator, String(recorded.epochs)];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "launcher/main.ts", "--devices", "2", ...options, ...script],
      cwd: root,
      env: { NO_COLOR: "1" },
    }).output();
    const err = new TextDecoder().decode(stderr);
    assert.equal(code, 0, err);
    return { ranks: JSON.parse(await Deno.readTextFile(file)), err };
  });
}

/** Steps of an epoch: those of the rank with the most. */
const STEPS = { uneven: 4, none: 4, accumulate: 2 };

function check(name: Case, ranks: readonly Found[]): void {
  assert.deepEqual(ranks[1].weights, ranks[0].weights, "the ranks end with different bytes");
  const { kernel, bias } = recorded[name];
  for (const [i, value] of [...kernel, ...bias].entries()) {
    const own = ranks[0].weights.flat()[i];
    assert.ok(Math.abs(own - value) < 2e-6, `weight ${i} is ${own}, but with PyTorch ${value}`);
  }
  for (const { steps } of ranks) assert.equal(steps, STEPS[name] * recorded.epochs);
}

for (const name of ["uneven", "none", "accumulate"] as const) {
  Deno.test(`two ranks with different batches (${name}) train as PyTorch does on the samples of both together`, async () => {
    const { ranks, err } = await fit(name, "counted");
    check(name, ranks);
    assert.match(err, /training batches: those that run out take part in the steps of the others without a batch/);
    assert.equal(ranks[0].batches, ranks[1].batches, "a hook after every batch runs equally often on all ranks");
  });
}

for (const name of ["uneven", "accumulate"] as const) {
  Deno.test(`the same (${name}) with data that does not say how many batches it has`, async () => {
    check(name, (await fit(name, "stream")).ranks);
  });
}

tensorflowTest("the same with compiled steps", async () => {
  const { ranks, err } = await fit("uneven", "counted", { accelerator: "cpu" });
  assert.match(err, /was recorded \(\d+ ops\)/);
  check("uneven", ranks);
});

for (const how of ["fabric", "fabric stream"]) {
  Deno.test(`\`fabric.join\` gives a rank without batches its turn in every step (${how})`, async () => {
    const { ranks } = await fit("uneven", how);
    check("uneven", ranks);
    assert.deepEqual(ranks.map(({ batches }) => batches), [4 * recorded.epochs, 2 * recorded.epochs]);
  });
}

for (const name of ["uneven", "none"] as const) {
  Deno.test(`loggers get a row of every step with the mean over the ranks that had a batch, also if rank 0 had none (${name})`, async () => {
    const first = (await fit(name, "counted")).ranks, last = (await fit(name, "reversed")).ranks;
    check(name, last);
    const { rows } = first[0];
    assert.equal(rows.filter((row) => "train_loss_step" in row).length, STEPS[name] * recorded.epochs);
    assert.deepEqual(last[0].rows, rows);
  });
}

for (
  const [name, how] of [
    ...[["uneven", "counted"], ["none", "reversed"], ["accumulate", "stream"], ["uneven", "fabric"]],
    ["uneven", "fabric stream"],
  ] as [Case, string][]
) {
  tensorflowTest(`the same if TensorFlow reduces the gradients (${name}, ${how})`, async () => {
    const byTensorflow = { accelerator: "cpu", options: ["--process-group", "tensorflow"] };
    const { ranks } = await fit(name, how, byTensorflow);
    check(name, ranks);
  });
}

/** The rows of a validation on two ranks that log their number after each batch. */
function validate(batches: number): Promise<{ steps: number[]; epoch: number; err: string }> {
  return inTemporaryFolder(async (folder) => {
    const file = `${folder}/rows.json`;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "launcher/main.ts", "--devices", "2"],
        ...["tests/trainer/scripts/evaluate_uneven.ts", file, String(batches)],
      ],
      cwd: root,
      env: { NO_COLOR: "1" },
    }).output();
    const err = new TextDecoder().decode(stderr);
    assert.equal(code, 0, err);
    const rows: Record<string, number>[] = JSON.parse(await Deno.readTextFile(file));
    const valuesOf = (name: string) => rows.flatMap((row) => name in row ? [row[name]] : []);
    return { steps: valuesOf("rank_step"), epoch: valuesOf("rank_epoch")[0], err };
  });
}

Deno.test("a value of a validation's step is reduced over ranks with as many batches, else rank 0's, and a warning says so", async () => {
  const even = await validate(4);
  assert.deepEqual([even.steps, even.epoch], [[0.5, 0.5], 0.5]);
  assert.doesNotMatch(even.err, /uneven-evaluation-steps/);
  const uneven = await validate(5);
  assert.deepEqual([uneven.steps, uneven.epoch], [[0, 0, 0], 2 / 5]);
  assert.equal(uneven.err.match(/values of `rank` in a step cannot be reduced.*uneven-evaluation-steps/g)?.length, 1);
  // Rank 1 has none.
  assert.equal((await validate(1)).epoch, 0);
});
