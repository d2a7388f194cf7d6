import type { Fabric } from "../../fabric/fabric.ts";
import type { ReduceFx } from "./log_options.ts";
import type { StateDict } from "../../tensor/state.ts";
import { reduceValues } from "./reduce_values.ts";

/** A metric as all ranks see it. */
export interface AgreedMetric {
  readonly value: number;
  /** After which training step it was computed. */
  readonly step: number;
}

/** What a rank tells of a metric that it has. */
interface OwnMetric extends Record<string, unknown> {
  value: number;
  step: number;
  reduceFx: ReduceFx | null;
}

/** What callbacks monitor: the newest number of each name, as this rank has it. */
export class MonitoredMetrics {
  /** The numbers by name. */
  readonly values: Record<string, number> = {};
  /** After which training step each was computed. */
  readonly steps: Record<string, number> = {};
  /** How the ranks' values become one, by name: of those that are this rank's own and were logged to be synchronised. */
  readonly #reduceFx = new Map<string, ReduceFx>();

  /** @param given.reduceFx if the value is this rank's own and is to be synchronised */
  note(name: string, value: number, given: { step: number; reduceFx?: ReduceFx }): void {
    this.values[name] = value;
    this.steps[name] = given.step;
    if (given.reduceFx) this.#reduceFx.set(name, given.reduceFx);
    else this.#reduceFx.delete(name);
  }

  /**
   * The same on all ranks: of the ranks whose value is the newest, that of the first, or what their values reduce to if they were logged with
   * `syncDist`. Undefined if no rank has any. Several ranks tell each other in one message.
   */
  async agreed(fabric: Fabric, name: string): Promise<AgreedMetric | undefined> {
    const own: OwnMetric | null = name in this.values
      ? { value: this.values[name], step: this.steps[name], reduceFx: this.#reduceFx.get(name) ?? null }
      : null;
    const all = fabric.worldSize === 1 ? [own] : await fabric.allGatherObjects(own, { purpose: "a monitored metric" });
    const told = all.filter((metric) => metric !== null);
    if (told.length === 0) return undefined;
    const step = Math.max(...told.map((metric) => metric.step));
    const newest = told.filter((metric) => metric.step === step);
    const [{ value, reduceFx }] = newest;
    return { value: reduceFx === null ? value : reduceValues(newest.map((metric) => metric.value), reduceFx), step };
  }

  stateDict(): { callback: Record<string, number>; steps: Record<string, number>; reduceFx: Record<string, string> } {
    return {
      callback: { ...this.values },
      steps: { ...this.steps },
      reduceFx: Object.fromEntries(this.#reduceFx),
    };
  }

  loadStateDict({ callback, steps, reduceFx }: StateDict): void {
    Object.assign(this.values, callback);
    Object.assign(this.steps, steps);
    // Checkpoints of earlier versions do not have it.
    for (const [name, value] of Object.entries(reduceFx ?? {})) this.#reduceFx.set(name, value as ReduceFx);
  }

  clear(): void {
    for (const record of [this.values, this.steps]) {
      for (const name of Object.keys(record)) delete record[name];
    }
    this.#reduceFx.clear();
  }
}
