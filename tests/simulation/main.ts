/**
 * `deno task test:simulation [collectives] [runs] [--seeds 1000] [--first 1] [--ranks N] [--seed N]`: many worlds, drawn at random;
 * `--seed` replays one and prints a trace. Exits with 1 if anything is wrong.
 */
import { parseArgs } from "node:util";
import { failuresOf, runSeeds, type Simulation, summaryOf } from "./run_seeds.ts";
import { simulations } from "./simulations.ts";

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "1000" },
    first: { type: "string", default: "1" },
    seed: { type: "string" },
    ranks: { type: "string" },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(simulations);
const worldSize = values.ranks === undefined ? undefined : Number(values.ranks);
let isRight = true;
for (const name of names) {
  const simulation: Simulation | undefined = simulations[name];
  if (!simulation) {
    console.error(`there is no simulation ${name}; there are: ${Object.keys(simulations).join(", ")}`);
    Deno.exit(2);
  }
  if (values.seed !== undefined) {
    const { problems } = await simulation(Number(values.seed), { worldSize, trace: (line) => console.log(line) });
    console.log(problems.length === 0 ? "nothing is wrong" : problems.join("\n"));
    isRight &&= problems.length === 0;
    continue;
  }
  const result = await runSeeds(simulation, {
    ...{ first: Number(values.first), count: Number(values.seeds), worldSize },
    onDone: (done, failed, { seed, isRight }) => {
      if (!isRight) console.log(`${name}: seed ${seed} failed`);
      if (done % 1000 === 0) console.log(`${name}: ${done} done, ${failed} failed`);
    },
  });
  console.log(`${name}: ${summaryOf(result)}`);
  if (result.failed.length > 0) console.log(failuresOf(result, name));
  isRight &&= result.failed.length === 0;
}
Deno.exit(isRight ? 0 : 1);
