import { type Clock, systemClock } from "../runtime/core/clock.ts";
import { hostName } from "./host_name.ts";
import { oomKills } from "./out_of_memory.ts";
import { livingGroups, processesMarked, signalGroups, stoppedProcesses } from "./process_groups.ts";

/** What the launcher asks of the machine that it runs on. `tests/simulation` has one of its own. */
export interface Machine {
  readonly clock: Clock;
  /** What it is called; undefined if that may not be asked. */
  readonly host: string | undefined;
  /** Sends a signal to all processes of the groups that have these leaders. One that is gone is no error. */
  signal(leaders: Iterable<number>, signal: Deno.Signal): void;
  /** Which of the groups have a living process. */
  living(leaders: readonly number[]): Promise<ReadonlySet<number>>;
  /** Which of these processes are kept from running by a signal. */
  stopped(pids: readonly number[]): Promise<ReadonlySet<number>>;
  /** Kills what inherited all of these variables (`NAME=value`), whatever group or session it moved to. */
  killMarked(marks: readonly string[]): Promise<void>;
  /** How often its kernel has killed a process of this one's control group for lack of memory; undefined where that is not told. */
  oomKills(): Promise<number | undefined>;
}

/** The machine that this process runs on. */
export const thisMachine: Machine = {
  clock: systemClock,
  get host() {
    return hostName();
  },
  signal: signalGroups,
  living: livingGroups,
  stopped: stoppedProcesses,
  async killMarked(marks) {
    for (const pid of await processesMarked(marks)) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
  },
  oomKills,
};
