import { simulateCollectivesSeed } from "./collectives/simulate_seed.ts";
import type { Simulation } from "./run_seeds.ts";
import { simulateRunSeed } from "./runs/simulate_seed.ts";

/** All that can be simulated, by name. */
export const simulations: Record<string, Simulation> = {
  collectives: simulateCollectivesSeed,
  runs: simulateRunSeed,
};
