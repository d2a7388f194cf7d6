import { Random } from "../../../runtime/seed/random.ts";
import type { Simulation } from "../run_seeds.ts";
import { drawRunPlan } from "./plan.ts";
import { limitMs, problemsOf } from "./problems.ts";
import { simulateRun } from "./simulate.ts";

/** Draws a run of launchers and ranks and what goes wrong, and lets it come to its end. */
export const simulateRunSeed: Simulation = async (seed, { trace } = {}) => {
  const random = new Random(seed);
  const plan = drawRunPlan(random);
  const { numNodes, minNodes, localWorldSize, steps, maxRestarts, heartbeatMs, fault } = plan;
  const what =
    `${minNodes} to ${numNodes} hosts with ${localWorldSize} ranks, ${steps} steps, at most ${maxRestarts} restarts, ` +
    `heartbeat timeout ${heartbeatMs} ms, fault ${JSON.stringify(fault) ?? "none"}`;
  trace?.(what);
  const run = await simulateRun(plan, { random, limitMs: limitMs(plan), trace });
  const { scheduler } = run.world;
  return { what, problems: problemsOf(run), events: scheduler.count, virtualMs: scheduler.now };
};
