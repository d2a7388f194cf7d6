import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { AcceleratorName } from "../../runtime/accelerators/accelerator.ts";
import { runLauncher } from "../launcher/run_launcher.ts";

/** What the ranks are to do. */
export interface Training {
  shard: boolean;
  /** The checkpoint that they write. */
  name: string;
  /** The checkpoint that they go on from. Default: none. */
  from?: string;
  steps: number;
  accelerator?: AcceleratorName;
  compile?: boolean;
  /** Ranks have different numbers of batches and samples. */
  unevenly?: boolean;
  /** The norm that gradients are clipped to. Default: they are not. */
  clip?: number;
}

/** What a training came to. */
export interface Trained {
  weights: number[];
  /** Bytes of optimizer state, by rank. */
  stateBytes: number[];
  /** The checkpoint's bytes. */
  file: Uint8Array;
  err: string;
}

/** Trains in `ranks` processes, which end with the same weights. */
export async function train(
  ranks: number,
  training: Training,
  place: { folder: string; script?: string },
): Promise<Trained> {
  const { folder, script = "train_sharded" } = place;
  const { code, stderr: err } = await runLauncher([
    ...["--devices", String(ranks), fileURLToPath(new URL(`scripts/${script}.ts`, import.meta.url))],
    ...[JSON.stringify(training), folder],
  ]);
  assert.equal(code, 0, err);
  const found: { weights: number[]; stateBytes: number }[] = JSON.parse(
    await Deno.readTextFile(`${folder}/${training.name}.json`),
  );
  for (const { weights } of found) assert.deepEqual(weights, found[0].weights, "the ranks differ");
  const file = await Deno.readFile(
    `${folder}/${training.from && script !== "train_sharded" ? training.from : training.name}`,
  );
  return { weights: found[0].weights, stateBytes: found.map(({ stateBytes }) => stateBytes), file, err };
}
