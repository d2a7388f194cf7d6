import { activity, peerFailure } from "../core/activity.ts";
import { exitCodeOf } from "../core/exit_codes.ts";
import { info } from "../core/messages.ts";
import { closeDebugger, preemptionSignals } from "../core/preemption.ts";
import type { Settings } from "../environments/settings.ts";

/** Somebody wants the program to stop. */
export interface StopRequest {
  /** By which signal, e.g. `SIGTERM`. */
  readonly signal: Deno.Signal;
  /** Whether it is the cluster's warning that it wants the machine back. */
  readonly isPreemption: boolean;
}

/** Options of {@linkcode listenForStop}. */
export interface ListenForStopOptions {
  settings: Pick<Settings, "launcherPid" | "preemptionSignal">;
  /** Overrides the setting; `none` for no such signal. Default: the setting, else `SIGUSR1` and `SIGUSR2`. */
  preemptionSignal?: string;
}

/**
 * Calls back once, at the first Ctrl-C, TERM or preemption signal; the second Ctrl-C or TERM ends the process. Disposing stops it.
 * Under the launcher that is the launcher's to do: there a rank may hear of the same wish twice, from it and from the cluster.
 */
export function listenForStop(listener: (request: StopRequest) => void, options: ListenForStopOptions): Disposable {
  const { launcherPid, preemptionSignal: setting } = options.settings;
  const preemption = preemptionSignals(options.preemptionSignal ?? setting);
  let heard = false, asked = false;
  const handle = (signal: Deno.Signal, isPreemption: boolean) => {
    if (signal === "SIGUSR1") void closeDebugger();
    if (!isPreemption) {
      const told = peerFailure();
      if (told) return giveUp(told.message);
      if (asked && launcherPid === undefined) Deno.exit(exitCodeOf(signal));
      asked = true;
    }
    if (heard) return;
    heard = true;
    listener({ signal, isPreemption });
  };
  const signals: Deno.Signal[] = ["SIGINT", "SIGTERM", ...preemption];
  const removals = signals.map((signal) => {
    const handler = () => handle(signal, preemption.includes(signal));
    try {
      Deno.addSignalListener(signal, handler);
    } catch {
      // Windows has few signals.
      return () => {};
    }
    return () => Deno.removeSignalListener(signal, handler);
  });
  return { [Symbol.dispose]: () => removals.forEach((remove) => remove()) };
}

/** The launcher ends the ranks because one failed: there is nothing to stop at. Who is in a collective hears of it there. */
function giveUp(message: string): void {
  if (activity().read().joined) return;
  info(`${message}; this rank ends too`, { everyRank: true });
  Deno.exit(1);
}
