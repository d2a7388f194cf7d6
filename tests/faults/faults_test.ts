import assert from "node:assert/strict";
import { drawFaults } from "./draw_faults.ts";
import { faultTable } from "./fault_table.ts";
import { runFaults } from "./run_faults.ts";

/** docs/failures.md says how long that takes; `deno task test:faults` runs more. */
const RUNS = 50;

Deno.test({
  name:
    `${RUNS} faults, drawn at random: every run ends with the true cause, leaves nothing, and resumes to the same bytes`,
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    console.log(
      `${RUNS} faults by seed ${seed} (again: deno task test:faults --runs ${RUNS} --seed ${seed} --train 0.15)`,
    );
    const faults = drawFaults({ seed, runs: RUNS, trainShare: 0.15 });
    const results = await runFaults(faults, { concurrency: 3 });
    console.log(faultTable(results));
    const wrong = results.flatMap(({ fault, problems, output }) =>
      problems.length === 0 ? [] : [`${JSON.stringify(fault)}: ${problems.join("; ")}\n${output}`]
    );
    assert.equal(wrong.join("\n\n"), "");
  },
});
