import type { Activity } from "../runtime/core/activity_page.ts";
import type { DeviceSelection } from "../runtime/devices/select_devices.ts";
import { childEnvironment } from "../runtime/environments/child_environment.ts";
import type { ClusterInfo } from "../runtime/environments/cluster_info.ts";
import type { Settings } from "../runtime/environments/settings.ts";
import type { ConsoleOutput } from "./console_output.ts";
import type { StopReason } from "./decide.ts";
import { describeActivity } from "./describe_activity.ts";
import { type ErrorReport, failureOf, ranksOf } from "./error_report.ts";
import { failureReport, howOf } from "./failure_report.ts";
import { findStuck } from "./find_stuck.ts";
import { hostName } from "./host_name.ts";
import { memoryHint, oomKills } from "./out_of_memory.ts";
import type { OrphanGuard } from "./orphan_guard.ts";
import { echoWeight } from "./echo_weight.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { processesMarked, signalGroups, stoppedProcesses } from "./process_groups.ts";
import type { RankError } from "./rank_error.ts";
import { RankPage } from "./rank_page.ts";
import { Rank } from "./rank_process.ts";
import { RankWatch } from "./rank_watch.ts";
import { supervise } from "./supervise.ts";

/** Options of {@linkcode runGeneration}. */
export interface GenerationOptions {
  script: URL;
  args: readonly string[];
  /** Flags of Deno, beginning with `run`. */
  denoFlags: readonly string[];
  devices: DeviceSelection;
  /** What all ranks of this host share, the generation too. */
  cluster: Omit<ClusterInfo, "kind" | "rank" | "localRank">;
  settings: Settings;
  /** `CUDA_VISIBLE_DEVICES` of this process. Default: all devices are seen. */
  visibleDevices?: string;
  /** A folder of the launcher's. */
  scratch: string;
  guard: OrphanGuard;
  console: ConsoleOutput;
  /** Columns of the terminal that the ranks' output is shown in. Default: it is shown in none. */
  columns?: number;
  logDir?: string;
  /** Whether the ranks' output is shown. */
  show: boolean;
  graceMs: number;
  failureGraceMs: number;
  heartbeatMs: number;
  /** On the clock of `performance.now()`. Default: never. */
  endMs?: number;
  listen: (listener: (signal: string) => void) => Disposable;
  /** Resolves with what failed on another host, in words, if something does. Default: never. */
  failedElsewhere?: Promise<string>;
  /** Resolves with what happens, in words, if hosts want to join. Default: never. */
  regroup?: Promise<string>;
  /** Told what fails here, before the ranks are ended. Default: nobody is. */
  onFailure?: (failure: { rank: number; message: string }) => void;
}

/** How a generation went. */
export interface GenerationResult extends Outcome {
  readonly reason?: StopReason;
  /** What to say on the terminal, if the run came to this; empty if there is nothing to say. */
  readonly report: (outcome: Outcome) => string;
  readonly failure: ErrorReport["failure"];
  /** What failed on another host, in words, if something did. */
  readonly elsewhere?: string;
  readonly ranks: ErrorReport["ranks"];
}

/** How often the ranks are looked at, unless they must be found frozen sooner. */
const LOOK_MS = 500;
/** How long output may take to be written after the last rank has ended. */
const DRAIN_MS = 2_000;

/** Starts the ranks of this host, looks after them until the last has ended, and says what came of it. */
export async function runGeneration(options: GenerationOptions): Promise<GenerationResult> {
  const { cluster, console, guard, heartbeatMs, logDir, show } = options;
  const ranks: Rank[] = [], pages = new Map<number, RankPage>();
  const killsBefore = await oomKills();
  using unsupervised = new DisposableStack();
  unsupervised.defer(() => signalGroups(ranks.map((rank) => rank.pid), "SIGKILL"));
  for (let localRank = 0; localRank < cluster.localWorldSize; localRank++) {
    const rank = cluster.nodeRank * cluster.localWorldSize + localRank;
    const page = new RankPage(`${options.scratch}/rank_${rank}.${cluster.generation}.page`);
    pages.set(rank, page);
    const started = start(options, { rank, localRank, page });
    guard.watch(started.pid);
    ranks.push(started);
  }

  const activities = new Map<number, Activity>();
  const lookEveryMs = Math.min(LOOK_MS, heartbeatMs / 4);
  const watch = new RankWatch(
    ranks.map((rank) => ({
      ...{ rank: rank.rank, pid: rank.pid, activity: () => pages.get(rank.rank)!.activity() },
      get exit() {
        return rank.exit;
      },
    })),
    { intervalMs: lookEveryMs, stopped: stoppedProcesses },
  );
  let elsewhere: string | undefined;
  const supervised = ranks.map((rank) => ({
    ...{ rank: rank.rank, pid: rank.pid, exited: rank.exited },
    isEcho: () => echoWeight(pages.get(rank.rank)!.error()) > 0,
    get exit() {
      return rank.exit;
    },
  }));
  const run = await supervise(supervised, {
    ...{ graceMs: options.graceMs, failureGraceMs: options.failureGraceMs, endMs: options.endMs, lookEveryMs },
    listen: options.listen,
    regroup: options.regroup?.then((message) =>
      void console.say(`weft: ${message}: ending the ranks, to start again with it`)
    ),
    failedElsewhere: options.failedElsewhere?.then((message) => void (elsewhere = message)),
    look: async () => findStuck(await watch.look(performance.now()), { heartbeatMs, isWhole: cluster.numNodes === 1 }),
    onStop: (reason) => {
      for (const [rank, page] of pages) activities.set(rank, page.activity());
      if (reason.kind === "failure") tellOthers(reason, { ranks, pages, activities, onFailure: options.onFailure });
      if (reason.kind === "elsewhere") {
        for (const page of pages.values()) {
          page.tell({ rank: -1, message: elsewhere ?? "the run failed on another host" });
        }
      }
      if (reason.kind === "signal") {
        void console.say(`weft: ${reason.signal}: ending the ranks; once more to kill them`);
      }
      if (reason.kind === "time") void console.say("weft: the time is over: ending the ranks");
    },
  });
  unsupervised.move();
  const marks = [`WEFT_LAUNCHER_PID=${Deno.pid}`, `WEFT_RUN_ID=${cluster.runId}`];
  for (const pid of await processesMarked(marks)) kill(pid);
  await Promise.all(ranks.map((rank) => rank.drained(DRAIN_MS)));

  const errors = new Map<number, RankError>();
  for (const [rank, page] of pages) {
    const error = page.error();
    if (error) errors.set(rank, error);
    if (!activities.has(rank)) activities.set(rank, page.activity());
    Deno.removeSync(page.path);
  }
  const judged = outcomeOf({ ...run, errors, activities });
  const host = hostName();
  const outcome = judged.cause ? { ...judged, cause: { ...judged.cause, host } } : judged;
  const { cause } = outcome;
  const reason = run.reason?.kind === "finished" ? undefined : run.reason;
  const tail = ranks.find(({ rank }) => rank === cause?.rank)?.errorTail ?? "";
  const hint = cause && memoryHint(
    { signal: cause.signal, errorTail: tail, message: cause.error?.message },
    { before: killsBefore, after: await oomKills() },
  );
  const report = ({ cause: known, category }: Outcome) => {
    const isHere = known?.rank === cause?.rank;
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

function start(options: GenerationOptions, who: { rank: number; localRank: number; page: RankPage }): Rank {
  const { cluster, settings, devices, script, args, denoFlags, console, logDir, show, columns } = options;
  const { rank, localRank, page } = who;
  const prefix = cluster.worldSize > 1 ? `[rank ${rank}] ` : "";
  const environment = childEnvironment({
    cluster: { ...cluster, rank, localRank },
    settings: {
      ...settings,
      pageFile: page.path,
      launcherPid: Deno.pid,
      terminalColumns: columns === undefined ? undefined : columns - prefix.length,
    },
    cudaDevice: devices.accelerator === "cuda"
      ? cudaName(devices.indices[localRank], options.visibleDevices)
      : undefined,
  });
  return new Rank(rank, { script, args, denoFlags, environment, console, logDir, prefix, show });
}

/** Those that live on cannot know of a rank that was killed, and would wait for it. */
function tellOthers(
  reason: Extract<StopReason, { kind: "failure" }>,
  run: {
    ranks: readonly Rank[];
    pages: ReadonlyMap<number, RankPage>;
    activities: ReadonlyMap<number, Activity>;
    onFailure: GenerationOptions["onFailure"];
  },
): void {
  const { rank, how = "failed" } = reason;
  const exit = run.ranks.find((one) => one.rank === rank)?.exit, error = run.pages.get(rank)?.error();
  const activity = run.activities.get(rank);
  const told = howOf({ how, signal: exit?.signal, exitCode: exit?.code ?? 1 });
  const doing = describeActivity(activity);
  const message = `rank ${rank} ${told}${doing ? ` (${doing})` : ""}${
    error ? `: ${error.name}: ${error.message}` : ""
  }`;
  const failure = { rank, host: hostName(), step: activity?.step, operation: activity?.operation, message };
  for (const [other, page] of run.pages) if (other !== rank) page.tell(failure);
  run.onFailure?.({ rank, message });
}

/** Devices are counted among those that this process may see, and named as the driver knows them. */
function cudaName(index: number, visible: string | undefined): string {
  return visible?.split(",")[index]?.trim() ?? String(index);
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
