import assert from "node:assert/strict";
import { Folder } from "./line.ts";

const root = new URL("../../../", import.meta.url);

/** What every rank came to, the same on all. `batches`: of each rank. */
async function onRanks(batches: readonly number[], scene: string): Promise<{ told: unknown; files: string[] }> {
  using folder = new Folder();
  using out = new Folder();
  const file = `${out.path}/found.json`;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "launcher/main.ts", "--devices", String(batches.length)],
      ...["tests/trainer/callbacks/scripts/uneven_callbacks.ts", file, folder.path, scene, JSON.stringify(batches)],
    ],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const ranks: unknown[] = JSON.parse(await Deno.readTextFile(file));
  assert.equal(ranks.length, batches.length);
  for (const told of ranks) assert.deepEqual(told, ranks[0], "the ranks differ");
  return { told: ranks[0], files: folder.files() };
}

/** What `shared` and `own` come to in a step: of the ranks that have a batch in it the mean, and the first one's. Steps from 1, 3 an epoch. */
function expected(batches: readonly number[], step: number): { own: number; shared: number } {
  const having = batches.flatMap((count, rank) => (step - 1) % 3 < count ? [rank] : []);
  const values = having.map((rank) => 10 * step + rank);
  return { own: values[0], shared: values.reduce((a, b) => a + b) / values.length };
}

const STEPS = [1, 2, 3, 4, 5, 6];

for (const batches of [[3, 0], [0, 3], [1, 3], [3, 1], [0, 1, 3]]) {
  for (const scene of ["own", "own with a validation"]) {
    Deno.test(`ranks with ${batches} batches save the same steps by what the first rank with a batch logged (${scene})`, async () => {
      const { told, files } = await onRanks(batches, scene);
      const scores = STEPS.map((step) => {
        const { own } = expected(batches, step);
        return [`step=${step}-own=${own}.ckpt`, own];
      });
      assert.deepEqual(told, { scores, last: scores[5][0], current: scores[5][1] });
      assert.deepEqual(files, scores.map(([name]) => name));
    });
  }
}

for (const batches of [[0, 3], [3, 1], [0, 1, 3]]) {
  Deno.test(`ranks with ${batches} batches save by the mean of a synchronised metric over those that had a batch`, async () => {
    const { told } = await onRanks(batches, "shared");
    const { scores } = told as { scores: [string, number][] };
    assert.deepEqual(scores.map(([, score]) => score), STEPS.map((step) => expected(batches, step).shared));
  });
}

for (const batches of [[0, 3], [1, 3]]) {
  Deno.test(`ranks with ${batches} batches save at the end of an epoch by what was logged last`, async () => {
    const { told } = await onRanks(batches, "epoch");
    const { scores } = told as { scores: [string, number][] };
    assert.deepEqual(scores.map(([, score]) => score), [31, 61]);
  });
}

for (const batches of [[3, 0], [0, 3]]) {
  Deno.test(`ranks with ${batches} batches stop early in the same epoch`, async () => {
    const { told } = await onRanks(batches, "stop");
    assert.deepEqual(told, { epochs: 2, why: "patienceExhausted" });
  });
}

for (const batches of [[3, 3], [3, 0], [0, 3]]) {
  Deno.test(`ranks with ${batches} batches shrink their learning rates alike, though each logged another number`, async () => {
    const { told } = await onRanks(batches, "plateau");
    const { rate, weight } = told as { rate: number; weight: number[] };
    // Rank 0's grows, the others' shrink: the first with a batch decides.
    assert.equal(rate, batches[0] === 0 ? 1 : 1 / 32);
    assert.ok(weight.every(Number.isFinite));
  });
}
