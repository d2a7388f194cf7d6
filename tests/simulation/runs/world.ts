import type { Network } from "../world/network.ts";
import type { Scheduler } from "../world/scheduler.ts";
import type { Addresses } from "../world/simulated_inbox.ts";
import type { StoreService } from "../world/simulated_store.ts";
import type { RunPlan } from "./plan.ts";
import type { SimulatedRank } from "./simulated_rank.ts";

/** What a checkpoint holds: how many steps are done, and the model after them. */
export interface Checkpoint {
  readonly step: number;
  readonly state: number;
}

/** What all hosts of a simulated run share. */
export interface RunWorld {
  readonly plan: RunPlan;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly addresses: Addresses;
  readonly service: StoreService;
  /** All that were ever started. */
  readonly ranks: SimulatedRank[];
  /** The disk that all hosts see. */
  checkpoint: Checkpoint;
  /** The model at the end, by every rank that came there. */
  readonly finals: number[];
  /** When the fault happened; absent until then. */
  harmedMs?: number;
  say(who: string, text: string): void;
}

const SAMPLES = 24;

/** What one step adds up: the same whatever the number of ranks. */
export function shareOf(step: number, rank: number, worldSize: number): number {
  let sum = 0;
  for (let sample = rank; sample < SAMPLES; sample += worldSize) sum += (step * 7919 + sample * 104_729) % 10_007;
  return sum;
}

/** The model after a step. */
export function stepped(state: number, gradient: number): number {
  return (state * 31 + gradient) % 1_000_003;
}

/** The model of an undisturbed run, computed without ranks. */
export function finalState(steps: number): number {
  let state = 1;
  for (let step = 0; step < steps; step++) state = stepped(state, shareOf(step, 0, 1));
  return state;
}
