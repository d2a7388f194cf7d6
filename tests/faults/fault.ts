import type { Random } from "../../runtime/seed/random.ts";

/** What goes wrong in a run. */
export type FaultKind = typeof KINDS[number];

/** Where in the program of a rank it throws. */
export type Place = typeof PLACES[number];

/** The strategies of the Trainer's runs. */
export type FaultStrategy = typeof STRATEGIES[number];

/** When a host that was cut off comes back. */
export type Return = typeof RETURNS[number];

/** All that may go wrong. `host`: one of several is cut off from the others. */
export const KINDS = [
  ...["throw", "exit", "kill", "stop", "memory", "connection", "garbage", "launcher", "disk", "clock", "host"] as const,
] as const;
const STRATEGIES = ["ddp", "sharded", "local"] as const;
const PLACES = [
  ...["before setup", "training step", "hook", "loader worker", "after the last step"] as const,
] as const;
/** Kinds that may strike on two hosts as well. */
const ON_HOSTS: readonly FaultKind[] = ["throw", "exit", "kill", "stop", "connection", "launcher", "clock"];
const RETURNS = ["never", "in time", "when it is noticed", "when the others have restarted"] as const;

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
  /** On how many hosts, each with as many ranks and a launcher of its own. */
  readonly hosts: number;
  /** With how few of them the run goes on. */
  readonly minHosts: number;
  /** Of `host`. */
  readonly cut?: {
    readonly comesBack: Return;
    /** Of the heartbeat's timeout, for one that comes back in time. */
    readonly share: number;
  };
}

/** Training steps of a run. */
export const STEPS = 20;
/** A checkpoint is saved after every so many. */
export const SAVED_EVERY = 3;
/**
 * A host that comes back in time is away for no larger share of the heartbeat's timeout. What is sent meanwhile comes later still: TCP repeats it
 * after intervals that double.
 */
const LONGEST_SHARE = 1 / 3;

/** Shares of the faults, from 0 to 1. */
export interface Shares {
  /** Of those that any program can have, how many come to the Trainer; the rest to a program that starts quickly. */
  trainShare: number;
  /** Of those of that program which can strike on several hosts, how many do. */
  hostShare: number;
}

/** Draws a fault of this kind. */
export function drawFault(random: Random, kind: FaultKind, options: Shares): Fault {
  const int = (count: number) => Math.floor(random.uniform() * count);
  if (kind === "host") return drawHostFault(random, int);
  const program = random.uniform() < options.trainShare && ["throw", "kill", "exit", "stop"].includes(kind)
    ? "train"
    : "reduce";
  const isOnHosts = random.uniform() < options.hostShare && program === "reduce" && ON_HOSTS.includes(kind);
  const hosts = isOnHosts ? 2 : 1, worldSize = isOnHosts ? 2 + 2 * int(2) : program === "train" ? 2 : 2 + int(2);
  const place = kind !== "throw" ? "training step" : program === "train" ? PLACES[int(5)] : PLACES[[0, 1, 4][int(3)]];
  return {
    ...{ kind, program, worldSize, place, hosts, minHosts: hosts },
    strategy: program === "train" ? STRATEGIES[int(3)] : "ddp",
    // The disk is rank 0's, which writes.
    rank: kind === "disk" ? 0 : int(worldSize),
    step: 1 + int(STEPS - 2),
    maxRestarts: kind === "launcher" || kind === "disk" ? 0 : int(2),
  };
}

function drawHostFault(random: Random, int: (count: number) => number): Fault {
  const hosts = int(4) === 0 ? 3 : 2, worldSize = hosts === 3 ? hosts : hosts * (1 + int(2));
  return {
    ...{ kind: "host", program: "reduce", worldSize, hosts, strategy: "ddp", place: "training step" },
    minHosts: int(2) === 0 ? hosts : 1 + int(hosts - 1),
    rank: int(worldSize),
    step: 1 + int(STEPS - 2),
    maxRestarts: int(2),
    cut: { comesBack: RETURNS[int(RETURNS.length)], share: LONGEST_SHARE * random.uniform() },
  };
}
