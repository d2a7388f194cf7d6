import type { LightningModule } from "../lightning_module.ts";
import type { Trainer } from "../trainer.ts";
import type { StateDict, StateTree } from "../../tensor/state.ts";

/** Names under which a learning rate is usually kept. */
const NAMES = ["learningRate", "lr"];

/** Gives the optimizers another learning rate, lets their schedulers start from it, and notes it in the model's hyperparameters or fields. */
export function setLearningRate(trainer: Trainer, module: LightningModule, rate: number): void {
  for (const optimizer of trainer.optimizers) optimizer.learningRate = rate;
  // Schedulers compute every rate from the one they began with.
  for (const { scheduler } of trainer.lrSchedulerConfigs) {
    scheduler.loadStateDict(withInitialRate(scheduler.stateDict(), rate) as StateDict);
  }
  const hparams = module.hasHyperparameters ? module.hparams : {};
  for (const holder of [hparams, module] as unknown as Record<string, unknown>[]) {
    const name = NAMES.find((name) => typeof holder[name] === "number");
    if (name) holder[name] = rate;
  }
}

function withInitialRate(state: StateTree | undefined, rate: number): StateTree | undefined {
  if (Array.isArray(state)) return state.map((item) => withInitialRate(item, rate) as StateTree);
  if (typeof state !== "object" || state === null || Object.getPrototypeOf(state) !== Object.prototype) return state;
  return Object.fromEntries(
    Object.entries(state).map(([key, value]) => [
      key,
      key === "initialLearningRate" ? rate : withInitialRate(value as StateTree, rate),
    ]),
  );
}
