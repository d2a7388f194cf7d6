import type { Fault } from "./fault.ts";
import { type FaultResult, launch, runFault } from "./run_fault.ts";

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
    const key = `${fault.program} ${fault.worldSize} ${fault.strategy}`;
    const known = references.get(key) ?? undisturbed(fault);
    references.set(key, known);
    return known;
  };
  const results: FaultResult[] = [];
  let next = 0;
  const work = async () => {
    while (next < faults.length) {
      const index = next++;
      results[index] = await runFault(faults[index], reference);
      options.onResult?.(results[index], index);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  return results;
}

/** What the program ends with if nothing goes wrong. */
async function undisturbed(fault: Fault): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "fault-" });
  try {
    await Deno.mkdir(`${folder}/tmp`);
    const { code, output } = await launch({ ...fault, kind: "kill", place: "training step", step: Infinity }, folder);
    if (code !== 0) throw new Error(`the program fails without a fault:\n${output}`);
    return await Deno.readFile(`${folder}/result`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
