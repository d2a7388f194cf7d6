import type { BetweenHosts, HostSpeed, HostTraffic } from "../runtime/comm/process_group.ts";
import { info } from "../runtime/core/messages.ts";
import type { RankFlags } from "./rank_flags.ts";

/** Steps that are not looked at, while everything starts; and those that are, together. */
const FIRST_STEPS = 6, STEPS = 10;
/** From which part of a step on what goes between hosts is worth a line. */
const WORTH = 0.1;

/** What a step cost, on average over some. */
export interface StepCost extends HostTraffic {
  /** Seconds of a whole step. */
  readonly stepSeconds: number;
  /** Seconds of a step in which this rank waited for gradients. */
  readonly waitSeconds: number;
}

/** Options of {@linkcode HostWaits}. */
export interface HostWaitsOptions {
  between: BetweenHosts;
  /** What travels with the gradients. */
  flags: RankFlags;
  /** Whether this rank speaks for all: rank 0. */
  isZero: boolean;
  /** Milliseconds of a clock that never goes back. Default: performance.now */
  now?: () => number;
  /** Default: one line on standard error. */
  say?: (line: string) => void;
}

/**
 * Says once what limits a run on several hosts, if the way between them is a considerable part of a step. Rank 0 looks how long the gradients are under way between hosts. That
 * may be because a rank there is slow, which is another thing, so that it then asks all ranks, along with the gradients, to measure the way itself.
 */
export class HostWaits {
  readonly #options: HostWaitsOptions;
  readonly #now: () => number;
  #steps = 0;
  #before: { atMs: number; waited: number; traffic: HostTraffic } | undefined;
  #cost: StepCost | undefined;

  constructor(options: HostWaitsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Called on every rank after each reduction of a step's gradients. Measures, on all ranks at the same step, if rank 0 asked for it. */
  async stepped(): Promise<void> {
    const { between, flags, isZero, say = info } = this.#options;
    if (flags.agreed.has("measure")) {
      const speeds = await between.measure(this.#cost?.bytes ?? 0);
      const line = this.#cost && describeWay(this.#cost, speeds);
      if (line) say(line);
      return;
    }
    if (!isZero || this.#cost) return;
    if (++this.#steps < FIRST_STEPS) return;
    const { seconds, bytes, hops } = between.traffic;
    const here = { atMs: this.#now(), waited: flags.waits.own, traffic: { seconds, bytes, hops } };
    if (!this.#before || this.#steps < FIRST_STEPS + STEPS) return void (this.#before ??= here);
    const before = this.#before;
    const per = (now: number, then: number) => (now - then) / STEPS;
    const cost: StepCost = {
      stepSeconds: per(here.atMs, before.atMs) / 1000,
      waitSeconds: per(here.waited, before.waited),
      seconds: per(seconds, before.traffic.seconds),
      bytes: per(bytes, before.traffic.bytes),
      hops: per(hops, before.traffic.hops),
    };
    this.#steps = FIRST_STEPS;
    this.#before = here;
    if (Math.min(cost.seconds, cost.waitSeconds) < WORTH * cost.stepSeconds) return;
    this.#cost = cost;
    flags.raise("measure");
  }
}

/** What the way between hosts costs a step, and what to do about it, for people; undefined if that is not much. */
export function describeWay(cost: StepCost, speeds: readonly HostSpeed[]): string | undefined {
  const parts = (speed: HostSpeed) => ({
    speed,
    latency: cost.hops * speed.roundTripMs / 2000,
    transfer: cost.bytes / speed.bytesPerSecond,
  });
  const [slowest] = speeds.map(parts).sort((a, b) => b.latency + b.transfer - a.latency - a.transfer);
  if (!slowest) return undefined;
  const { speed, latency, transfer } = slowest;
  // What the way does not explain is time in which ranks waited for a slow one.
  const seconds = Math.min(latency + transfer, cost.seconds, cost.waitSeconds);
  if (seconds < WORTH * cost.stepSeconds) return undefined;
  const percent = Math.round(100 * seconds / cost.stepSeconds);
  const way =
    `${digits(speed.roundTripMs)} ms there and back to ${speed.host}, ${digits(cost.bytes / 1e6)} MB a step at ` +
    `${digits(speed.bytesPerSecond / 1e6)} MB/s`;
  const remedy = latency > transfer
    ? "Latency limits it: accumulate gradients over several batches, average weights every few steps (LocalSGDStrategy), or have fewer hosts with more ranks"
    : "Bandwidth limits it: accumulate gradients over several batches, average weights every few steps (LocalSGDStrategy), or send 16 bits (gradientCompression)";
  return `${percent} % of a step (${digits(cost.stepSeconds)} s) is the all-reduce between hosts: ${way}. ${remedy}`;
}

/** Two digits at least. */
function digits(value: number): string {
  return value >= 10 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}
