import assert from "node:assert/strict";
import { failuresOf, runSeeds, summaryOf } from "./run_seeds.ts";
import { simulations } from "./simulations.ts";

/** The same seeds every time, so that CI fails only for what was changed; `deno task test:simulation --first N` draws others. */
const SEEDS: Record<string, number> = { collectives: 600, runs: 400 };

for (const [name, count] of Object.entries(SEEDS)) {
  Deno.test(`${count} simulated worlds (${name}): none hangs, none has a wrong result, none blames a rank wrongly`, async () => {
    const result = await runSeeds(simulations[name], { first: 1, count });
    console.log(`${name}: ${summaryOf(result)}`);
    assert.equal(failuresOf(result, name), "");
  });
}

Deno.test("512 ranks meet, and those that live on know which one left", async () => {
  const { what, problems } = await simulations.collectives(21, { worldSize: 512 });
  assert.match(what, /^512 ranks.*"leave"/);
  assert.deepEqual(problems, []);
});

Deno.test("the same seed gives the same run, event for event", async () => {
  const traceOf = async () => {
    const lines: string[] = [];
    let events = 0;
    for (const simulation of Object.values(simulations)) {
      events += (await simulation(8, { trace: (line) => lines.push(line) })).events;
    }
    return { lines, events };
  };
  const [one, other] = [await traceOf(), await traceOf()];
  assert.ok(one.lines.length > 20);
  assert.deepEqual(one, other);
});
