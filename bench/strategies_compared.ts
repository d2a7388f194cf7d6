import { DDPStrategy } from "../strategies/ddp.ts";
import { LocalSGDStrategy } from "../strategies/local_sgd.ts";
import type { Strategy } from "../strategies/strategy.ts";

/** What bench/strategies.ts compares, by the names in its tables. A loader's batch is that of all ranks together. */
export const STRATEGIES: Readonly<Record<string, () => Strategy>> = {
  "ddp": () => new DDPStrategy({ splitBatch: true }),
  "ddp, sharded state": () => new DDPStrategy({ splitBatch: true, shardOptimizerState: true }),
  "local_sgd, 8 steps": () => new LocalSGDStrategy({ localSteps: 8, splitBatch: true }),
  "local_sgd, 32 steps": () => new LocalSGDStrategy({ localSteps: 32, splitBatch: true }),
};
