import type { Clock } from "../runtime/core/clock.ts";
import { decide, type RankProcess, type RunState, type StopReason } from "./decide.ts";
import type { Stuck } from "./find_stuck.ts";
import { type Machine, thisMachine } from "./machine.ts";

/** A started rank, as far as supervising it goes. */
export interface Supervised {
  readonly rank: number;
  readonly pid: number;
  readonly exit?: RankProcess["exit"];
  readonly exited: Promise<void>;
  /** Asked once it has exited: whether it failed only because another rank did. Default: it did not. */
  readonly isEcho?: () => boolean;
}

/** Options of {@linkcode supervise}. */
export interface SuperviseOptions {
  /** How long after TERM the ranks get KILL. */
  graceMs: number;
  /** The same after a failure. Default: as `graceMs`. */
  failureGraceMs?: number;
  /** When the run's time is over, on the same clock as the exits. Default: never. */
  endMs?: number;
  /** Calls back for every signal to the launcher, until it is disposed of. */
  listen: (listener: (signal: string) => void) => Disposable;
  /** Whether these are all ranks of the run. Default: true. */
  isWhole?: boolean;
  /** Looks for what keeps the run from going on, now and then. Default: nobody looks. */
  look?: () => Promise<Stuck | undefined>;
  /** How often, in milliseconds. Default: 500. */
  lookEveryMs?: number;
  /** Resolves if the run has failed on another host. Default: never. */
  failedElsewhere?: Promise<void>;
  /** Resolves if hosts want to join. Default: never. */
  regroup?: Promise<void>;
  /** Told when ranks are about to be ended. Default: nobody is. */
  onStop?: (reason: StopReason) => void;
  /** Where the ranks run. Default: the machine of this process. */
  machine?: Pick<Machine, "clock" | "living" | "signal">;
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
  const { graceMs, failureGraceMs, endMs, listen, look, lookEveryMs = 500, isWhole, onStop, machine = thisMachine } =
    options;
  const { clock } = machine;
  const signals: string[] = [];
  let stop: RunState["stop"], wake = () => {}, stuck: Stuck | undefined;
  let failedElsewhere = false, isRegrouping = false;
  using _listening = listen((signal) => {
    signals.push(signal);
    wake();
  });
  for (const rank of ranks) void rank.exited.then(() => wake());
  void options.failedElsewhere?.then(() => {
    failedElsewhere = true;
    wake();
  });
  void options.regroup?.then(() => {
    isRegrouping = true;
    wake();
  });
  let lookedAt = -Infinity;
  while (true) {
    const changed = new Promise<void>((resolve) => wake = resolve);
    const mustLook = stop !== undefined || ranks.every((rank) => rank.exit);
    const living = mustLook ? await machine.living(ranks.map((rank) => rank.pid)) : undefined;
    if (look && !mustLook && clock.now() - lookedAt >= lookEveryMs) {
      lookedAt = clock.now();
      stuck = await look();
    }
    const processes = ranks.map(({ rank, pid, exit, isEcho }) => ({
      ...{ rank, exit, alive: living ? living.has(pid) : !exit },
      isEcho: exit !== undefined && exit.code !== 0 && isEcho?.(),
    }));
    const nowMs = clock.now();
    const action = decide({
      ...{ processes, signals, nowMs, graceMs, failureGraceMs, endMs, isWhole },
      ...{ stuck, failedElsewhere, isRegrouping, stop },
    });
    switch (action.do) {
      case "finish":
        return { processes, reason: stop?.reason, stoppedMs: stop?.sinceMs };
      case "terminate":
        stop = { reason: action.reason, sinceMs: clock.now(), signals: signals.length };
        onStop?.(action.reason);
        machine.signal(frozenOf(action.reason, ranks), "SIGKILL");
        // A stopped process acts on TERM only when it goes on.
        machine.signal(ranks.map((rank) => rank.pid), "SIGTERM");
        machine.signal(ranks.map((rank) => rank.pid), "SIGCONT");
        break;
      case "kill":
        stop = { ...stop!, signals: signals.length, killedMs: clock.now() };
        machine.signal(ranks.map((rank) => rank.pid), "SIGKILL");
        break;
      case "wait":
        await first(
          clock,
          changed,
          stop ? Math.min(action.ms, LOOK_MS) : look ? Math.min(action.ms, lookEveryMs) : action.ms,
        );
    }
  }
}

/** Who does not run cannot end by itself. If it went on now, it would know nothing of the time that it has missed. */
function frozenOf(reason: StopReason, ranks: readonly Supervised[]): number[] {
  if (reason.kind !== "failure" || reason.how !== "frozen") return [];
  return ranks.filter(({ rank }) => rank === reason.rank).map(({ pid }) => pid);
}

async function first(clock: Clock, event: Promise<void>, ms: number): Promise<void> {
  if (ms === Infinity) return await event;
  let cancelTimer = () => {};
  const timeout = new Promise<void>((resolve) => cancelTimer = clock.after(ms, resolve));
  await Promise.race([event, timeout]);
  cancelTimer();
}
