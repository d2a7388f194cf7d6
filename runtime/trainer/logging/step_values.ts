import { warn } from "../../core/messages.ts";
import type { Fabric } from "../../fabric/fabric.ts";
import type { ReduceFx } from "./log_options.ts";
import type { LoggedMetric } from "./logged_metric.ts";
import { reduceValues } from "./reduce_values.ts";

/** A metric's newest value. */
export interface StepValue extends Record<string, unknown> {
  /** By which ranks know that they logged the same. */
  key: string;
  /** The name, and that in the loggers. */
  plain: string;
  label: string;
  value: number;
  /** How the ranks' values become one; null if each keeps its own. */
  reduceFx: ReduceFx | null;
}

/** This rank's values of metrics that were read. One whose object gives no single number has none. */
export async function ownStepValues(entries: readonly LoggedMetric[]): Promise<StepValue[]> {
  const values = await Promise.all(entries.map(async (entry): Promise<StepValue[]> => {
    const value = entry.metric ? entry.metric.fromStates([await entry.metric.state()]) : entry.last;
    if (typeof value !== "number") return [];
    const { syncStep, reduceFx } = entry.options;
    const plain = entry.label("plain", true), label = entry.label("step", true);
    const key = `${entry.hook}.${label}`;
    return [{ key, plain, label, value, reduceFx: syncStep ? reduceFx : null }];
  }));
  return values.flat();
}

/**
 * The values with those that are to be synchronised reduced over the ranks that have them, in one message if there is one.
 * @param options.mayLack ranks may have no batch, and so no value: then a rank that lacks one gets that of the first that has it, and all send
 */
export async function synchronised(
  fabric: Fabric,
  own: readonly StepValue[],
  { mayLack }: { mayLack: boolean },
): Promise<readonly StepValue[]> {
  if (fabric.worldSize === 1 || !(mayLack || own.some(({ reduceFx }) => reduceFx !== null))) return own;
  const all = (await fabric.allGatherObjects([...own], { purpose: "the logged values of a step" })).flat();
  const merged = (given: StepValue): StepValue => {
    if (given.reduceFx === null) return given;
    const values = all.filter(({ key }) => key === given.key).map(({ value }) => value);
    return { ...given, value: reduceValues(values, given.reduceFx) };
  };
  const keys = new Set(own.map(({ key }) => key));
  const lacking = mayLack ? all.filter(({ key }) => !keys.has(key) && keys.add(key)) : [];
  return [...own, ...lacking].map(merged);
}

/** The values as they are, where ranks cannot meet after every batch. Says so if some were to be synchronised. */
export function unsynchronised(own: readonly StepValue[]): readonly StepValue[] {
  const meant = own.filter(({ reduceFx }) => reduceFx !== null).map(({ plain }) => `\`${plain}\``);
  if (meant.length > 0) {
    warn(
      "uneven-evaluation-steps",
      `ranks have different numbers of batches to evaluate, so that their values of ${
        meant.join(", ")
      } in a step cannot be reduced: ` +
        "rank 0's are logged. Those of the epoch are reduced over all",
    );
  }
  return own;
}
