import assert from "node:assert/strict";

/** What a training came to. */
export interface Run {
  losses: number[];
  weights: number[];
  /** Whether all ranks ended with the same bytes. */
  same: boolean;
}

const root = new URL("../../", import.meta.url);

/** Trains in `ranks` processes and returns what they came to. */
export async function train(
  ranks: number,
  options: { optimizer: string; batchSize: number; strategy: string; steps: number; processGroup?: string },
): Promise<Run> {
  const output = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const { optimizer, batchSize, strategy, steps, processGroup = "" } = options;
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "launcher/main.ts", "--devices", String(ranks), "tests/fabric/scripts/train_mlp.ts"],
        ...[optimizer, String(batchSize), strategy, String(steps), output, processGroup],
      ],
      cwd: root,
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return JSON.parse(await Deno.readTextFile(output));
  } finally {
    await Deno.remove(output);
  }
}

/** The largest difference between two lists of numbers. */
export function furthest(a: readonly number[], b: readonly number[]): number {
  assert.equal(a.length, b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}
