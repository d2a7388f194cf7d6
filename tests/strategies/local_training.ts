import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { AcceleratorName } from "../../runtime/accelerators/accelerator.ts";
import { runLauncher } from "../launcher/run_launcher.ts";

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
  const script = fileURLToPath(new URL("scripts/train_local.ts", import.meta.url));
  const { code, stdout, stderr: err } = await runLauncher(["--devices", "2", script, JSON.stringify(training)]);
  const result = stdout.match(/RESULT (.*)$/m);
  assert.ok(code === 0 && result, err);
  return { ranks: JSON.parse(result[1]), err, file: await Deno.readFile(`${training.folder}/last`) };
}
