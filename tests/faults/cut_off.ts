import type { Network } from "../clusters/network.ts";
import type { RunningLauncher } from "../launcher/run_launcher.ts";
import type { Fault } from "./fault.ts";
import { hostOf, hostsLeft } from "./hosts_of_fault.ts";
import { now } from "./now.ts";

/** What is needed to cut a host off. */
export interface CutOffOptions {
  network: Network;
  /** By host. */
  launchers: readonly RunningLauncher[];
  /** Where the rank that waits for the cut looks for the file `harm`. */
  folder: string;
  heartbeatMs: number;
}

/** What a launcher says after the cut; hosts that come late change who takes part before. */
const RESTART = /does not answer any more$[^]*^weft: (restart \d+ of|the hosts have changed)/m;

/** Cuts a host off from the others when its rank has come to the step, and lets it come back when the fault says so. Resolves at once if the run ends before. */
export async function cutOff(fault: Fault, { network, launchers, folder, heartbeatMs }: CutOffOptions): Promise<void> {
  const host = hostOf(fault), { comesBack, share } = fault.cut!;
  /** What the run's end makes impossible. */
  const happens = (...events: Promise<unknown>[]) => Promise.any(events).then(() => true, () => false);
  if (!await happens(launchers[host].until(/at the step of the fault$/m))) return;
  await network.cut(host);
  await Deno.writeTextFile(`${folder}/harm`, String(now()));
  switch (comesBack) {
    case "never":
      return;
    case "in time":
      await new Promise((resolve) => setTimeout(resolve, share * heartbeatMs));
      break;
    case "when it is noticed":
      if (!await happens(...launchers.map((launcher) => launcher.until(/does not answer any more$/m)))) return;
      break;
    case "when the others have restarted":
      if (!await othersRestart()) return;
  }
  await network.cut();

  function othersRestart(): Promise<boolean> {
    const left = hostsLeft(fault);
    // They go on without it, or wait for it.
    if (left.length >= fault.minHosts) return happens(launchers[0].until(/going on with fewer hosts$/m));
    return happens(...launchers.map((launcher) => launcher.until(RESTART)));
  }
}
