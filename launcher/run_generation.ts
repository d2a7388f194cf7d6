import type { Activity } from "../runtime/core/activity_page.ts";
import type { ClusterInfo } from "../runtime/environments/cluster_info.ts";
import type { StopReason } from "./decide.ts";
import { describeActivity } from "./describe_activity.ts";
import { echoWeight } from "./echo_weight.ts";
import { type ErrorReport, failureOf, ranksOf } from "./error_report.ts";
import { failureReport, howOf } from "./failure_report.ts";
import { findStuck } from "./find_stuck.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { memoryHint } from "./out_of_memory.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import type { RankError } from "./rank_error.ts";
import { type Observation, RankWatch } from "./rank_watch.ts";
import type { StartedRank, StartRank } from "./start_rank.ts";
import { supervise } from "./supervise.ts";

/** Options of {@linkcode runGeneration}. */
export interface GenerationOptions {
  startRank: StartRank;
  /** What all ranks of this host share, the generation too. */
  cluster: Omit<ClusterInfo, "kind" | "rank" | "localRank">;
  /** Says something on the terminal. */
  say: (text: string) => void;
  /** Where the ranks' output goes, if that is files. */
  logDir?: string;
  /** Whether the ranks' output is shown. */
  show: boolean;
  graceMs: number;
  failureGraceMs: number;
  heartbeatMs: number;
  /** On the machine's clock. Default: never. */
  endMs?: number;
  listen: (listener: (signal: string) => void) => Disposable;
  /** Resolves with what failed on another host, in words, if something does. Default: never. */
  failedElsewhere?: Promise<string>;
  /** Resolves with what happens, in words, if hosts want to join. Default: never. */
  regroup?: Promise<string>;
  /** Where the ranks run. Default: the machine of this process. */
  machine?: Machine;
  /** Told what fails here, before the ranks are ended. Default: nobody is. */
  onFailure?: (failure: { rank: number; message: string }) => void;
  /** Told what the ranks look like, again and again, and once when all have ended. Default: nobody is. */
  onLook?: (ranks: readonly Observation[]) => void;
}

/** How a generation went. */
export interface GenerationResult extends Outcome {
  readonly reason?: StopReason;
  /** What to say on the terminal, if the run came to this, on another host too; empty if there is nothing to say. */
  readonly report: (outcome: Outcome & { elsewhere?: string }) => string;
  readonly failure: ErrorReport["failure"];
  /** What failed on another host, in words, if something did. */
  readonly elsewhere?: string;
  readonly ranks: ErrorReport["ranks"];
}

/** How often the ranks are looked at, unless they must be found frozen sooner. */
const LOOK_MS = 250;
/** How long output may take to be written after the last rank has ended. */
const DRAIN_MS = 2_000;

/** Starts the ranks of this host, looks after them until the last has ended, and says what came of it. */
export async function runGeneration(options: GenerationOptions): Promise<GenerationResult> {
  const { cluster, heartbeatMs, logDir, say, show, machine = thisMachine } = options;
  const ranks: StartedRank[] = [], pages = new Map<number, StartedRank["page"]>();
  const killsBefore = await machine.oomKills();
  using unsupervised = new DisposableStack();
  unsupervised.defer(() => machine.signal(ranks.map((rank) => rank.pid), "SIGKILL"));
  for (let localRank = 0; localRank < cluster.localWorldSize; localRank++) {
    const rank = cluster.nodeRank * cluster.localWorldSize + localRank;
    const started = options.startRank({ ...cluster, rank, localRank });
    pages.set(rank, started.page);
    ranks.push(started);
  }

  const activities = new Map<number, Activity>();
  const lookEveryMs = Math.min(LOOK_MS, heartbeatMs / 4);
  const watch = new RankWatch(
    ranks.map((rank) => ({
      ...{ rank: rank.rank, pid: rank.pid, activity: () => rank.page.activity() },
      get exit() {
        return rank.exit;
      },
    })),
    { intervalMs: lookEveryMs, stopped: (pids) => machine.stopped(pids) },
  );
  const look = async () => {
    const seen = await watch.look(machine.clock.now());
    options.onLook?.(seen);
    return seen;
  };
  let elsewhere: string | undefined, joins: string | undefined;
  const supervised = ranks.map((rank) => ({
    ...{ rank: rank.rank, pid: rank.pid, exited: rank.exited },
    isEcho: () => echoWeight(rank.page.error()) > 0,
    get exit() {
      return rank.exit;
    },
  }));
  const isWhole = cluster.numNodes === 1;
  const run = await supervise(supervised, {
    ...{ machine, isWhole },
    ...{ graceMs: options.graceMs, failureGraceMs: options.failureGraceMs, endMs: options.endMs, lookEveryMs },
    listen: options.listen,
    regroup: options.regroup?.then((message) => void (joins = message)),
    failedElsewhere: options.failedElsewhere?.then((message) => void (elsewhere = message)),
    look: async () => findStuck(await look(), { heartbeatMs, isWhole }),
    onStop: (reason) => {
      for (const [rank, page] of pages) activities.set(rank, page.activity());
      if (reason.kind === "failure") {
        tellOthers(reason, { ranks, host: machine.host, activities, onFailure: options.onFailure });
      }
      if (reason.kind === "elsewhere") {
        for (const page of pages.values()) {
          page.tell({ rank: -1, message: elsewhere ?? "the run failed on another host" });
        }
      }
      if (reason.kind === "membership") say(`weft: ${joins}: ending the ranks, to start again with it`);
      if (reason.kind === "signal") {
        say(`weft: ${reason.signal}: ending the ranks; once more to kill them`);
      }
      if (reason.kind === "time") say("weft: the time is over: ending the ranks");
    },
  });
  unsupervised.move();
  await look();
  await machine.killMarked([`WEFT_LAUNCHER_PID=${Deno.pid}`, `WEFT_RUN_ID=${cluster.runId}`]);
  await Promise.all(ranks.map((rank) => rank.drained(DRAIN_MS)));

  const errors = new Map<number, RankError>();
  for (const [rank, page] of pages) {
    const error = page.error();
    if (error) errors.set(rank, error);
    if (!activities.has(rank)) activities.set(rank, page.activity());
    page.remove();
  }
  const judged = outcomeOf({ ...run, errors, activities });
  const { host } = machine;
  const outcome = judged.cause ? { ...judged, cause: { ...judged.cause, host } } : judged;
  const { cause } = outcome;
  const reason = run.reason?.kind === "finished" ? undefined : run.reason;
  const tail = ranks.find(({ rank }) => rank === cause?.rank)?.errorTail ?? "";
  const hint = cause && memoryHint(
    { signal: cause.signal, errorTail: tail, message: cause.error?.message },
    { before: killsBefore, after: await machine.oomKills() },
  );
  const report = ({ cause: known, category, elsewhere }: Outcome & { elsewhere?: string }) => {
    const isHere = known?.rank === cause?.rank && known?.how === cause?.how;
    const text = failureReport({
      ...{ cause: known, reason, hint: isHere ? hint : undefined, logDir, isResumable: category === "resumable" },
      ended: run.processes.flatMap(({ rank, exit }) =>
        reason && exit?.signal && exit.atMs >= run.stoppedMs! && rank !== known?.rank
          ? [{ rank, signal: exit.signal }]
          : []
      ),
      others: [...activities].flatMap(([rank, activity]) => rank === known?.rank ? [] : [{ rank, activity }]),
      tail: isHere && logDir !== undefined && !show ? tail : undefined,
    });
    return elsewhere === undefined || known ? text : [`weft: ${elsewhere}`, text].filter(Boolean).join("\n");
  };
  return {
    ...outcome,
    ...{ reason, report, elsewhere },
    failure: failureOf(cause, hint),
    ranks: ranksOf(run.processes, { errors, activities }),
  };
}

/** Those that live on cannot know of a rank that was killed, and would wait for it. */
function tellOthers(
  reason: Extract<StopReason, { kind: "failure" }>,
  run: {
    ranks: readonly StartedRank[];
    host: string | undefined;
    activities: ReadonlyMap<number, Activity>;
    onFailure: GenerationOptions["onFailure"];
  },
): void {
  const { rank, how = "failed" } = reason;
  const failed = run.ranks.find((one) => one.rank === rank), exit = failed?.exit, error = failed?.page.error();
  const activity = run.activities.get(rank);
  const told = howOf({ how, signal: exit?.signal, exitCode: exit?.code ?? 1 });
  const doing = describeActivity(activity);
  const message = `rank ${rank} ${told}${doing ? ` (${doing})` : ""}${
    error ? `: ${error.name}: ${error.message}` : ""
  }`;
  const failure = { rank, host: run.host, step: activity?.step, operation: activity?.operation, message };
  for (const other of run.ranks) if (other.rank !== rank) other.page.tell(failure);
  run.onFailure?.({ rank, message });
}
