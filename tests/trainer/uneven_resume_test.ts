import assert from "node:assert/strict";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import type { UnevenRun } from "./scripts/resume_uneven.ts";

const root = new URL("../../", import.meta.url);

interface Found {
  ranks: Record<string, unknown>[];
  rows: unknown[];
}

/** One run, its checkpoints in `folder`. `from`: the checkpoint to go on from. */
async function start(
  run: UnevenRun,
  { folder, from, code = 0, options = [] }: { folder: string; from?: string; code?: number; options?: string[] },
): Promise<Found> {
  const file = `${folder}/found.json`;
  const args = [file, folder, JSON.stringify(run), ...from === undefined ? [] : [`${folder}/${from}`]];
  const ended = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "launcher/main.ts", "--devices", String(run.batches.length), ...options],
      ...["tests/trainer/scripts/resume_uneven.ts", ...args],
    ],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(ended.code, code, new TextDecoder().decode(ended.stderr));
  return JSON.parse(await Deno.readTextFile(file));
}

function checkSame(resumed: Found, whole: Found): void {
  assert.deepEqual(resumed.ranks, whole.ranks);
  assert.ok(resumed.rows.length > 0);
  assert.deepEqual(resumed.rows, whole.rows.slice(-resumed.rows.length));
  // Not by chance: the ranks did train together.
  for (const { weights, optimizer } of whole.ranks) {
    assert.deepEqual(weights, whole.ranks[0].weights);
    assert.equal(optimizer, whole.ranks[0].optimizer);
  }
}

/** Goes on from every checkpoint of the second epoch. */
function fromEverywhere(
  run: UnevenRun,
  expected: number,
  options: string[] = [],
): (t: Deno.TestContext) => Promise<void> {
  return (t) =>
    inTemporaryFolder(async (folder) => {
      const whole = await start({ ...run, savesAll: true }, { folder, options });
      const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.startsWith("1-"))
        .sort();
      assert.equal(names.length, expected);
      for (const from of names) {
        await t.step(from, async () => checkSame(await start(run, { folder, from, options }), whole));
      }
    });
}

const cases: UnevenRun[] = [
  { data: "loader", batches: [4, 2] },
  { data: "loader", batches: [1, 4, 2], accumulate: 3 },
  { data: "counted", batches: [0, 4] },
  { data: "stream", batches: [2, 4] },
];
for (const run of cases) {
  const { data, batches, accumulate = 1 } = run;
  Deno.test(
    `ranks with ${batches} batches (${data}, accumulating ${accumulate}) that go on from any batch of an epoch end with the same bytes`,
    fromEverywhere(run, 4),
  );
}

Deno.test(
  "so they do from the middle of an epoch in which they validate",
  fromEverywhere({ data: "loader", batches: [3, 1], validates: true }, 4),
);

tensorflowTest(
  "so they do with compiled steps",
  fromEverywhere({ data: "loader", batches: [2, 3], accelerator: "cpu" }, 3),
);

tensorflowTest(
  "so they do if TensorFlow reduces the gradients",
  fromEverywhere({ data: "loader", batches: [1, 3, 0], accelerator: "cpu" }, 3, ["--process-group", "tensorflow"]),
);

for (const data of ["loader", "stream"] as const) {
  Deno.test(
    `so they do in manual optimization, where an epoch ends with the shortest rank (${data})`,
    fromEverywhere({ data, batches: [4, 2], manual: true }, 2),
  );
}

/** Steps of an epoch of the longest rank; the shorter has 2. */
const LONGEST = 4;

for (const [when, batch] of [["both ranks have batches", 1], ["one rank has run out", 3]] as const) {
  const run: UnevenRun = { data: "loader", batches: [LONGEST, 2] };

  Deno.test(`a run that ended at \`maxSteps\` while ${when} goes on as if it had not`, () =>
    inTemporaryFolder(async (folder) => {
      const whole = await start({ ...run, savesAll: true }, { folder });
      const part = await start({ ...run, maxSteps: LONGEST + batch }, { folder });
      assert.equal(part.ranks[0].steps, LONGEST + batch);
      checkSame(await start(run, { folder, from: "newest.ckpt" }), whole);
    }));

  Deno.test(`a run that a signal to one rank ended while ${when} goes on as if it had not`, () =>
    inTemporaryFolder(async (folder) => {
      const whole = await start({ ...run, savesAll: true }, { folder });
      const part = await start({ ...run, interruptAt: batch }, { folder, code: 75 });
      assert.equal(part.ranks[0].outcome, "interrupted");
      checkSame(await start(run, { folder, from: "interrupted.ckpt" }), whole);
    }));

  Deno.test(`a run in which a rank fails while ${when}, and that is started again, ends as if it had not`, () =>
    inTemporaryFolder(async (folder) => {
      const whole = await start({ ...run, savesAll: true }, { folder });
      checkSame(await start({ ...run, crashAt: batch }, { folder, options: ["--max-restarts", "1"] }), whole);
    }));
}
