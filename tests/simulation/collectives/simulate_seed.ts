import { Random } from "../../../runtime/seed/random.ts";
import type { Simulation } from "../run_seeds.ts";
import { drawPlan } from "./plan.ts";
import { limitMs, problemsOf } from "./problems.ts";
import { simulateCollectives } from "./simulate.ts";

/** Draws a world of ranks and what goes wrong, and lets them meet and call collectives. */
export const simulateCollectivesSeed: Simulation = async (seed, { worldSize, trace } = {}) => {
  const random = new Random(seed);
  const plan = drawPlan(random, worldSize);
  const { calls, fault } = plan;
  const what = `${plan.worldSize} ranks, ${calls.length} calls, fault ${JSON.stringify(fault)}`;
  trace?.(what);
  for (const [i, { name }] of calls.entries()) trace?.(`  call ${i}: ${name}`);
  const run = await simulateCollectives(plan, { random, limitMs: limitMs(plan), trace });
  return { what, problems: problemsOf(plan, run), events: run.events, virtualMs: run.endedMs };
};
