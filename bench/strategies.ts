/**
 * What strategies cost: milliseconds a step, optimizer state and memory of a rank, with Adam, 100 samples a rank; and what they learn: the accuracy of the
 * reference perceptron on MNIST after each epoch, 100 samples a step of all ranks together.
 *
 *     deno run -A bench/strategies.ts [--parts cost,learning] [--ranks 2,4] [--models perceptron,wide] [--rounds 3] [--steps 64] [--epochs 5]
 *
 * Programs run in turn, round after round, and the best round counts: what else the machine does can only add. Learning is seeded and runs once.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { tableHead, tableRow } from "./markdown_table.ts";
import { STRATEGIES } from "./strategies_compared.ts";
import type { RankCost } from "./strategies_program.ts";

const { values: options } = parseArgs({
  options: {
    parts: { type: "string", default: "cost,learning" },
    ranks: { type: "string", default: "2,4" },
    models: { type: "string", default: "perceptron,wide" },
    rounds: { type: "string", default: "3" },
    steps: { type: "string", default: "64" },
    epochs: { type: "string", default: "5" },
  },
});
const names = Object.keys(STRATEGIES), worlds = options.ranks.split(",").map(Number);
const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs a program on ranks that write JSON into a folder, by rank. */
async function run<T>(program: string, ranks: number, writers: number, ...args: string[]): Promise<T[]> {
  const folder = await Deno.makeTempDir();
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "launcher/main.ts", "--devices", String(ranks), `bench/${program}`, folder, ...args],
      cwd: root,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const read = async (_: unknown, rank: number): Promise<T> =>
      JSON.parse(await Deno.readTextFile(`${folder}/${rank}`));
    return await Promise.all(Array.from({ length: writers }, read));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function showCosts(): Promise<void> {
  tableHead(["model", "ranks", "strategy", "ms a step", "optimizer state of a rank, MB", "most memory of a rank, MB"]);
  for (const model of options.models.split(",")) {
    for (const ranks of worlds) {
      const runs = new Map<string, RankCost[][]>(names.map((name) => [name, []]));
      for (let round = 0; round < Number(options.rounds); round++) {
        for (const [name, costs] of runs) {
          costs.push(await run<RankCost>("strategies_program.ts", ranks, ranks, name, model, options.steps));
        }
      }
      for (const [name, costs] of runs) {
        const best = costs.toSorted((a, b) => a[0].ms - b[0].ms)[0];
        tableRow([
          ...[model, ranks, name, best[0].ms.toFixed(2)],
          range(best.map(({ stateMegabytes }) => stateMegabytes)),
          range(best.map(({ peakMegabytes }) => peakMegabytes)),
        ]);
      }
    }
  }
}

async function showLearning(): Promise<void> {
  tableHead(["ranks", "strategy", ...Array.from({ length: Number(options.epochs) }, (_, i) => `epoch ${i + 1}`)]);
  for (const ranks of worlds) {
    for (const name of names) {
      const [accuracies] = await run<number[]>("strategies_learning.ts", ranks, 1, name, options.epochs);
      tableRow([ranks, name, ...accuracies.map((accuracy) => accuracy.toFixed(4))]);
    }
  }
}

function range(values: readonly number[]): string {
  const text = (value: number) => value.toFixed(value < 10 ? 1 : 0);
  const [least, most] = [text(Math.min(...values)), text(Math.max(...values))];
  return least === most ? most : `${least} to ${most}`;
}

console.log(`${Deno.build.target}, ${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}`);
if (options.parts.includes("cost")) await showCosts();
if (options.parts.includes("learning")) await showLearning();
