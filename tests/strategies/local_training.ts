import assert from "node:assert/strict";
import type { AcceleratorName } from "../../runtime/accelerators/accelerator.ts";

/** What the two ranks are to do. */
export interface LocalTraining {
  steps: number;
  /** Default: DDP. */
  localSteps?: number;
  warmupSteps?: number;
  /** Default: SGD with momentum. */
  optimizer?: "adam";
  accelerator?: AcceleratorName;
  compile?: boolean;
  /** Each rank's batches: how many samples each has. Default: 8 in each. */
  shares?: number[][];
  /** After which step to save a checkpoint, `saved`. Default: never. */
  saveAt?: number;
  /** The checkpoint to go on from. Default: none. */
  from?: string;
  folder: string;
}

/** What a rank came to. */
export interface LocallyTrained {
  /** Its weights after the last step, and after `optimizer.synchronize()`. */
  before: number[];
  after: number[];
  /** What its optimizer remembers then. */
  memory: number[];
  /** For each step: whether the ranks had different weights after it. */
  differ: boolean[];
  /** Whether a flag that rank 1 raised in the second step had been agreed on after it. */
  flags: boolean[];
}

/** Trains in two processes. */
export async function trainLocally(
  training: LocalTraining,
): Promise<{ ranks: LocallyTrained[]; err: string; file: Uint8Array }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "launcher/main.ts", "--devices", "2", "tests/strategies/scripts/train_local.ts"],
      JSON.stringify(training),
    ],
    cwd: new URL("../../", import.meta.url),
    env: { NO_COLOR: "1" },
  }).output();
  const err = new TextDecoder().decode(stderr), result = new TextDecoder().decode(stdout).match(/RESULT (.*)$/m);
  assert.ok(code === 0 && result, err);
  return { ranks: JSON.parse(result[1]), err, file: await Deno.readFile(`${training.folder}/last`) };
}
