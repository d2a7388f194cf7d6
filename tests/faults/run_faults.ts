import { inLanes } from "../in_lanes.ts";
import type { Fault } from "./fault.ts";
import { launch } from "./launch.ts";
import { type FaultResult, runFault } from "./run_fault.ts";

/** Options of {@linkcode runFaults}. */
export interface RunFaultsOptions {
  /** Runs at the same time. */
  concurrency: number;
  /** Told of every run that has ended. */
  onResult?: (result: FaultResult, index: number) => void;
}

/** Runs a program with each of the faults. */
export async function runFaults(faults: readonly Fault[], options: RunFaultsOptions): Promise<FaultResult[]> {
  const references = new Map<string, Promise<Uint8Array>>();
  const reference = (fault: Fault) => {
    const alone = undisturbedBy(fault),
      key = `${alone.program} ${alone.worldSize} ${alone.strategy} ${alone.kind} ${alone.hosts}`;
    const known = references.get(key) ?? undisturbed(alone);
    references.set(key, known);
    return known;
  };
  const results: FaultResult[] = [];
  await inLanes(options.concurrency, faults, async (fault, index) => {
    results[index] = await runFault(fault, reference);
    options.onResult?.(results[index], index);
  });
  return results;
}

/** A run that ends with the same bytes, in which nothing happens. With a host, they do not depend on how many take part. */
function undisturbedBy(fault: Fault): Fault {
  if (fault.kind !== "host") return { ...fault, kind: "kill", place: "training step", step: Infinity };
  return { ...fault, step: Infinity, hosts: 1, minHosts: 1, worldSize: 2, cut: undefined };
}

/** What the program ends with if nothing goes wrong. */
async function undisturbed(fault: Fault): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "fault-" });
  try {
    await Deno.mkdir(`${folder}/tmp`);
    const { codes, output } = await launch(fault, folder);
    if (codes[0] !== 0) throw new Error(`the program fails without a fault:\n${output}`);
    return await Deno.readFile(`${folder}/result`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
