import assert from "node:assert/strict";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { runLauncher } from "../launcher/run_launcher.ts";
import type { Sent } from "./count_sent.ts";

const BATCHES = 10, PARAMETERS = 4 * 3 + 3 + 3 + 1;
const NOTHING: Sent = { frames: 0, bytes: 0, collectives: [] };

/** What each of two ranks sent during each of ten batches. */
async function sentBy(program: "fabric" | "trainer", accelerator: string, window: number): Promise<Sent[][]> {
  const script = new URL("./scripts/accumulate.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await runLauncher(["--devices", "2", script, program, accelerator, `${window}`]);
  assert.equal(code, 0, stderr);
  const ranks: { sent: Sent[]; weights: number[] }[] = JSON.parse(/^\[rank 0\] (\[\{.*)$/m.exec(stdout)![1]);
  assert.deepEqual(ranks[1].weights, ranks[0].weights, "the ranks differ");
  for (const { sent } of ranks) assert.equal(sent.length, BATCHES);
  return ranks.map(({ sent }) => sent);
}

for (
  const [program, accelerator, option] of [
    ["fabric", "wasm", "noBackwardSync"],
    ["trainer", "wasm", "accumulateGradBatches"],
    ["trainer", "cpu", "accumulateGradBatches in a compiled step"],
  ] as const
) {
  const test = accelerator === "cpu" ? tensorflowTest : Deno.test;
  test(`with ${option} two ranks send nothing until the last batch of a step, then what a step of one batch sends`, async () => {
    const whole = await sentBy(program, accelerator, 1), [[ofOneStep]] = whole;
    const { frames, bytes, collectives: [exchange] } = ofOneStep;
    const count = Number(/^allReduce of (\d+)$/.exec(exchange)?.[1]);
    assert.ok(frames === 1 && count >= PARAMETERS && bytes >= 4 * count, JSON.stringify(ofOneStep));
    for (const sent of whole) assert.deepEqual(sent, Array(BATCHES).fill(ofOneStep));
    for (const [rank, sent] of (await sentBy(program, accelerator, 3)).entries()) {
      // The last batch of the epoch is a step of its own.
      const expected = sent.map((_, i) => i % 3 === 2 || i === BATCHES - 1 ? ofOneStep : NOTHING);
      assert.deepEqual(sent, expected, `rank ${rank}`);
    }
  });
}
