import { processEnvironment } from "../../../runtime/environments/process_environment.ts";
import { fileAppears } from "../../file_appears.ts";
import { type Fault, SAVED_EVERY, STEPS } from "../fault.ts";
import { hostsAtEnd } from "../hosts_of_fault.ts";

const { RANK, WORLD_SIZE, FAULT_FOLDER } = processEnvironment();
const worldSize = Number(WORLD_SIZE), harm = `${FAULT_FOLDER}/harm`;
let firstStep: number | undefined;

/**
 * The fault's rank waits at its step until its host is cut off; then the file `harm` is there. Where fewer hosts go on, rank 0 waits after a few steps until
 * those have joined that must: the launcher ends it then.
 * @param step steps done so far
 */
export async function loseHost(fault: Fault, step: number): Promise<void> {
  firstStep ??= step;
  const isHarmed = await Deno.stat(harm).then(() => true, () => false);
  if (worldSize === fault.worldSize) {
    if (isHarmed || Number(RANK) !== fault.rank || step !== fault.step) return;
    console.log("at the step of the fault");
    return await fileAppears(harm);
  }
  if (RANK !== "0" || step !== Math.min(firstStep + SAVED_EVERY, STEPS - 1)) return;
  if (isHarmed) console.log("going on with fewer hosts");
  const hosts = isHarmed ? hostsAtEnd(fault).length : fault.hosts;
  if (worldSize < hosts * fault.worldSize / fault.hosts) await new Promise(() => setInterval(() => {}, 1_000));
}
