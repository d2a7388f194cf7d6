import { decide, type RankProcess, type RunState, type StopReason } from "./decide.ts";
import { livingGroups, signalGroups } from "./process_groups.ts";

/** A started rank, as far as supervising it goes. */
export interface Supervised {
  readonly rank: number;
  readonly pid: number;
  readonly exit?: RankProcess["exit"];
  readonly exited: Promise<void>;
}

/** Options of {@linkcode supervise}. */
export interface SuperviseOptions {
  /** How long after TERM the ranks get KILL. */
  graceMs: number;
  /** Calls back for every signal to the launcher, until it is disposed of. */
  listen: (listener: (signal: string) => void) => Disposable;
  /** Told when ranks are being ended. Default: nobody is. */
  onStop?: (reason: StopReason) => void;
}

/** How a run went. */
export interface SupervisedRun {
  readonly processes: readonly RankProcess[];
  readonly reason?: StopReason;
  /** When ranks got TERM, on the clock of the exits. */
  readonly stoppedMs?: number;
}

/** How often it looks for what ranks have started, which unlike the ranks themselves cannot be waited for. Only while a run is ending. */
const LOOK_MS = 20;

/** Carries out what {@linkcode decide} decides until all ranks, and all that they started in their groups, have ended. */
export async function supervise(ranks: readonly Supervised[], options: SuperviseOptions): Promise<SupervisedRun> {
  const { graceMs, listen, onStop } = options;
  const signals: string[] = [];
  let stop: RunState["stop"], wake = () => {};
  using _listening = listen((signal) => {
    signals.push(signal);
    wake();
  });
  for (const rank of ranks) void rank.exited.then(() => wake());
  while (true) {
    const changed = new Promise<void>((resolve) => wake = resolve);
    const look = stop !== undefined || ranks.every((rank) => rank.exit);
    const living = look ? await livingGroups(ranks.map((rank) => rank.pid)) : undefined;
    const processes = ranks.map(({ rank, pid, exit }) => ({ rank, exit, alive: living ? living.has(pid) : !exit }));
    const action = decide({ processes, signals, nowMs: performance.now(), graceMs, stop });
    switch (action.do) {
      case "finish":
        return { processes, reason: stop?.reason, stoppedMs: stop?.sinceMs };
      case "terminate":
        stop = { reason: action.reason, sinceMs: performance.now(), signals: signals.length };
        onStop?.(action.reason);
        // A stopped process acts on TERM only when it goes on.
        signalGroups(ranks.map((rank) => rank.pid), "SIGTERM");
        signalGroups(ranks.map((rank) => rank.pid), "SIGCONT");
        break;
      case "kill":
        stop = { ...stop!, signals: signals.length, killedMs: performance.now() };
        signalGroups(ranks.map((rank) => rank.pid), "SIGKILL");
        break;
      case "wait":
        await first(changed, stop ? Math.min(action.ms, LOOK_MS) : action.ms);
    }
  }
}

async function first(event: Promise<void>, ms: number): Promise<void> {
  if (ms === Infinity) return await event;
  let timer;
  await Promise.race([event, new Promise<void>((resolve) => timer = setTimeout(resolve, ms))]);
  clearTimeout(timer);
}
