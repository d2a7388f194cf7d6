import type { Random } from "../../runtime/seed/random.ts";

/** What goes wrong in a run. */
export type FaultKind = typeof KINDS[number];

/** Where in the program of a rank it throws. */
export type Place = typeof PLACES[number];

/** The strategies of the Trainer's runs. */
export type FaultStrategy = typeof STRATEGIES[number];

/** All that may go wrong. */
export const KINDS = [
  ...["throw", "exit", "kill", "stop", "memory", "connection", "garbage", "launcher", "disk", "clock"] as const,
] as const;
const STRATEGIES = ["ddp", "sharded", "local"] as const;
const PLACES = [
  ...["before setup", "training step", "hook", "loader worker", "after the last step"] as const,
] as const;

/** One run with one fault, by chance. */
export interface Fault {
  readonly kind: FaultKind;
  /** `train`: the Trainer with a model. `reduce`: a process group, no tensor library; quick. */
  readonly program: "train" | "reduce";
  readonly worldSize: number;
  /** How the ranks of `train` train together. */
  readonly strategy: FaultStrategy;
  /** The rank that does it, or to which it is done. */
  readonly rank: number;
  /** Before which training step. */
  readonly step: number;
  readonly place: Place;
  /** How often the launcher may start the run again. The fault comes in the first generation only. */
  readonly maxRestarts: number;
}

/** Training steps of a run. */
export const STEPS = 20;
/** A checkpoint is saved after every so many. */
export const SAVED_EVERY = 3;

/** Draws a fault of this kind. */
export function drawFault(random: Random, kind: FaultKind, options: { trainShare: number }): Fault {
  const int = (count: number) => Math.floor(random.uniform() * count);
  const program = random.uniform() < options.trainShare && ["throw", "kill", "exit", "stop"].includes(kind)
    ? "train"
    : "reduce";
  const worldSize = program === "train" ? 2 : 2 + int(2);
  const place = kind !== "throw" ? "training step" : program === "train" ? PLACES[int(5)] : PLACES[[0, 1, 4][int(3)]];
  return {
    ...{ kind, program, worldSize, place },
    strategy: program === "train" ? STRATEGIES[int(3)] : "ddp",
    // The disk is rank 0's, which writes.
    rank: kind === "disk" ? 0 : int(worldSize),
    step: 1 + int(STEPS - 2),
    maxRestarts: kind === "launcher" || kind === "disk" ? 0 : int(2),
  };
}
