import assert from "node:assert/strict";
import { inTemporaryFolder } from "../temporary_folder.ts";

const root = new URL("../../", import.meta.url);

interface Found {
  outcome: string;
  validated: Record<string, number>[];
  tested: Record<string, number>[];
  predictions: number[][];
  weights: Record<string, number[]>;
  same: boolean;
  rows: Record<string, number>[];
  steps: number;
  validations: number[];
}

async function start(ranks: number, folder: string, what: string): Promise<{ code: number; err: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "launcher/main.ts", "--devices", String(ranks)],
      ...["tests/trainer/scripts/fit_ranks.ts", folder, what],
    ],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  return { code, err: new TextDecoder().decode(stderr) };
}

async function run(ranks: number, folder: string, what: string, expected = 0): Promise<Found> {
  const { code, err } = await start(ranks, folder, what);
  assert.equal(code, expected, err);
  return JSON.parse(await Deno.readTextFile(`${folder}/${what}.json`));
}

Deno.test("one, two and three ranks report the same validation, test and predictions, to the last digit", () =>
  inTemporaryFolder(async (folder) => {
    const one = await run(1, folder, "validate");
    for (const ranks of [2, 3]) {
      const several = await run(ranks, folder, "validate");
      assert.deepEqual(several.validated, one.validated);
      // 3 samples in one batch: the other ranks have none, and know the result.
      assert.deepEqual(several.tested, one.tested);
      assert.deepEqual(several.predictions, one.predictions);
      assert.ok(several.same, "the ranks differ");
    }
  }));

Deno.test("two ranks resumed in the middle of an epoch and of a window end with the same bytes", () =>
  inTemporaryFolder(async (folder) => {
    const whole = await run(2, folder, "save");
    const resumed = await run(2, folder, "resume");
    assert.ok(whole.same && resumed.same, "the ranks differ");
    assert.equal(resumed.steps, whole.steps);
    assert.deepEqual(resumed.weights, whole.weights);
    assert.deepEqual(resumed.rows, whole.rows.slice(-resumed.rows.length));
    assert.deepEqual(resumed.validated, whole.validated);
  }));

Deno.test("a wish to stop of one rank ends the training of all at one step", () =>
  inTemporaryFolder(async (folder) => {
    const { same, steps, outcome } = await run(2, folder, "stop");
    assert.ok(same, "the ranks differ");
    assert.deepEqual([steps, outcome], [6, "finished"]);
  }));

Deno.test("validations after a time run after the same steps on all ranks, by the clock of the first", () =>
  inTemporaryFolder(async (folder) => {
    const { same, steps, validations } = await run(2, folder, "time");
    assert.ok(same, "the ranks differ");
    assert.ok(validations.length > 0 && validations.every((step) => step > 0 && step <= steps), `${validations}`);
    assert.equal(new Set(validations).size, validations.length);
  }));

Deno.test("a signal to one rank ends the training of all at one step, with a checkpoint", () =>
  inTemporaryFolder(async (folder) => {
    const { same, steps, outcome } = await run(2, folder, "interrupt", 75);
    assert.ok(same, "the ranks differ");
    assert.equal(outcome, "interrupted");
    assert.ok(steps >= 5, `${steps} steps`);
    const saved = [...Deno.readDirSync(`${folder}/checkpoints`)].map(({ name }) => name);
    assert.ok(saved.includes("interrupted.ckpt"), saved.join());
  }));

Deno.test("a metric that only one rank logs is an error that names it and the ranks", () =>
  inTemporaryFolder(async (folder) => {
    const { code, err } = await start(2, folder, "uneven");
    assert.notEqual(code, 0);
    assert.match(err, /The metric `extra` was logged in `trainingStep` on rank 1 but not on rank 0/);
  }));
