/**
 * `deno task test:faults --runs 1000 [--seed N] [--concurrency N] [--train SHARE] [--kinds KIND,…]`: many faults, drawn at random. Exits with 1 if anything is wrong, with 2
 * if the options are, or if this machine cannot have a kind that was asked for.
 */
import { parseArgs } from "node:util";
import { drawFaults, impossible, possibleKinds } from "./draw_faults.ts";
import { type FaultKind, KINDS } from "./fault.ts";
import { faultTable } from "./fault_table.ts";
import { runFaults } from "./run_faults.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    runs: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 32)) },
    concurrency: { type: "string", default: "2" },
    train: { type: "string", default: "0.3" },
    kinds: { type: "string" },
  },
});
const kinds = values.kinds === undefined ? possibleKinds() : parseKinds(values.kinds);
const [runs, seed, concurrency] = [values.runs, values.seed, values.concurrency].map(Number);
console.log(`${runs} faults by seed ${seed}`);
const faults = drawFaults({ seed, runs, kinds, trainShare: Number(values.train) });
let done = 0;
const results = await runFaults(faults, {
  concurrency,
  onResult: ({ fault, problems, output }, index) => {
    done++;
    if (problems.length > 0) {
      console.log(`fault ${index} ${JSON.stringify(fault)}:\n  ${problems.join("\n  ")}\n${output}`);
    } else if (done % 50 === 0) console.log(`${done} of ${runs}`);
  },
});
console.log(faultTable(results));
const wrong = results.filter(({ problems }) => problems.length > 0).length;
console.log(`${runs} faults by seed ${seed}: ${wrong} wrong`);
Deno.exit(wrong > 0 ? 1 : 0);

function parseKinds(list: string): FaultKind[] {
  return list.split(",").map((name) => {
    const kind = KINDS.find((kind) => kind === name);
    const problem = kind ? impossible(kind) : `the kinds are ${KINDS.join(", ")}`;
    if (kind && problem === undefined) return kind;
    console.error(`--kinds ${name}: ${problem}`);
    Deno.exit(2);
  });
}
