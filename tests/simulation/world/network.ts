import type { Random } from "../../../runtime/seed/random.ts";
import type { SimulatedProcess } from "./simulated_process.ts";

/** How long messages take. */
export interface Latency {
  /** Within a host and between hosts, at least, in milliseconds. */
  nearMs: number;
  farMs: number;
  /** What is added at random, at most. */
  jitterMs: number;
}

/** Something that happens to the connections between two ends for a while. Ends are names of processes or of hosts. */
export interface Outage {
  readonly a: string;
  readonly b: string;
  readonly fromMs: number;
  /** When messages pass again. Infinity: never. */
  readonly untilMs: number;
  /** Whether what was on its way when it began, or was sent in the meantime, is gone, or only late. */
  readonly loses: boolean;
  /** Only what goes from a to b. Default: both ways. */
  readonly oneWay?: boolean;
}

/** What no connection does, but must not lead to wrong results: chances for each frame. */
export interface Mischief {
  repeat: number;
  overtake: number;
  cut: number;
}

/** The way of messages from one process to another: they keep their order. */
export interface Connection {
  readonly from: SimulatedProcess;
  /** When the last message arrives. */
  lastMs: number;
}

/** Carries messages between processes. */
export class Network {
  readonly outages: Outage[] = [];
  readonly mischief: Mischief = { repeat: 0, overtake: 0, cut: 0 };
  readonly #latency: Latency;
  readonly #random: Random;

  constructor(latency: Latency, random: Random) {
    this.#latency = latency;
    this.#random = random;
  }

  /**
   * Lets a message arrive, unless it is lost.
   * @param isFrame whether mischief may happen to it
   */
  carry(
    connection: Connection,
    to: SimulatedProcess,
    arrive: (fate: { isCut: boolean }) => void,
    isFrame = false,
  ): void {
    const { from } = connection, random = this.#random, { repeat, overtake, cut } = this.mischief;
    if (!from.isAlive) return;
    const sentMs = from.scheduler.now;
    let dueMs = sentMs + this.#travelMs(from, to);
    const overtakes = isFrame && overtake > 0 && random.uniform() < overtake;
    if (!overtakes) dueMs = Math.max(dueMs, connection.lastMs);
    for (const outage of this.outages) {
      if (!concerns(outage, from, to)) continue;
      const { fromMs, untilMs, loses } = outage;
      if (dueMs < fromMs || sentMs >= untilMs) continue;
      if (loses || untilMs === Infinity) return;
      dueMs = Math.max(dueMs, untilMs + this.#travelMs(from, to));
    }
    if (!overtakes) connection.lastMs = dueMs;
    const isCut = isFrame && cut > 0 && random.uniform() < cut;
    const deliver = () => {
      if (sentMs < from.lostSince) to.do(() => arrive({ isCut }));
    };
    from.scheduler.at(dueMs, deliver);
    if (isFrame && repeat > 0 && random.uniform() < repeat) from.scheduler.at(dueMs + random.uniform() * 5, deliver);
  }

  #travelMs(from: SimulatedProcess, to: SimulatedProcess): number {
    const { nearMs, farMs, jitterMs } = this.#latency;
    return (from.host === to.host ? nearMs : farMs) + this.#random.uniform() * jitterMs;
  }
}

function concerns(outage: Outage, from: SimulatedProcess, to: SimulatedProcess): boolean {
  const { a, b, oneWay } = outage;
  const is = (end: string, process: SimulatedProcess) => process.name === end || process.host === end;
  return is(a, from) && is(b, to) || !oneWay && is(a, to) && is(b, from);
}
