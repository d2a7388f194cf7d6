import { connectStore } from "../runtime/comm/connect_store.ts";
import { StoreServer } from "../runtime/comm/store_server.ts";
import type { DeviceSelection } from "../runtime/devices/select_devices.ts";
import { milliseconds } from "../runtime/core/duration.ts";
import { HEARTBEAT_MS } from "../runtime/core/heartbeat.ts";
import { isLoopback } from "../runtime/core/loopback.ts";
import { preemptionSignals } from "../runtime/core/preemption.ts";
import { RunKey } from "../runtime/core/run_key.ts";
import { processEnvironment } from "../runtime/environments/process_environment.ts";
import { readSettings, type Settings } from "../runtime/environments/settings.ts";
import { duration, integer, seconds, text } from "../runtime/environments/variables.ts";
import { checkNodes } from "./check_nodes.ts";
import { ConsoleOutput } from "./console_output.ts";
import { denoFlags } from "./deno_flags.ts";
import { type ErrorReport, writeErrorReport } from "./error_report.ts";
import { hostFacts } from "./host_facts.ts";
import { HostLink } from "./host_link.ts";
import { OrphanGuard } from "./orphan_guard.ts";
import type { Category, FailureCause } from "./outcome.ts";
import { requeueJob } from "./requeue_job.ts";
import { runGeneration } from "./run_generation.ts";
import { type GenerationsResult, runGenerations } from "./run_generations.ts";
import { SignalLog } from "./signal_log.ts";
import { listenForSignals } from "./signals.ts";
import { startRanksAsProcesses } from "./start_rank.ts";

/** Options of {@linkcode launchRanks}. */
export interface LaunchOptions {
  /** One rank of this host for each device. By `selectDevices`. */
  devices: DeviceSelection;
  /** The script's own arguments. Default: none. */
  args?: readonly string[];
  /** What ranks are told as `WEFT_*`. Default: what this process was told. */
  settings?: Partial<Settings>;
  /** Hosts that the run spans, with a launcher on each and as many ranks on each. Default: 1. */
  numNodes?: number;
  /** The run goes on with fewer hosts than `numNodes`, down to this; others may join later. Default: as `numNodes`. */
  minNodes?: number;
  /** Which of the hosts this one is. Default: 0. */
  nodeRank?: number;
  /** Where the launcher of node 0 listens. Default: `127.0.0.1`. */
  mainAddress?: string;
  /** Its port. Default: 0, one that is free; with more than one host it must be given. */
  mainPort?: number;
  /** What nobody can take part without, needed if `mainAddress` is not loopback. Default: with one host a new one, else none. */
  runKey?: RunKey;
  /** A folder for one log file a rank and stream, made if it is missing. Default: none. */
  logDir?: string;
  /** With `logDir`: whether the output is shown as well. Default: false. */
  tee?: boolean;
  /** How long ranks may take to end after TERM before they get KILL, in milliseconds. Default: `WEFT_GRACE`, else 10,000, and 3,000 after a failure. */
  graceMs?: number;
  /** How long a rank may be kept from running, or all wait for each other in vain, in milliseconds. Default: what the settings say, else 10,000. */
  heartbeatMs?: number;
  /** How often a run that failed is started again from its newest checkpoint. Default: what the settings say, else 0. */
  maxRestarts?: number;
  /** How long to wait before the first restart, in milliseconds. It doubles each time, up to half a minute. Default: `WEFT_RESTART_DELAY`, else 1,000. */
  restartDelayMs?: number;
  /** Ends the run after this time as a TERM would, in milliseconds. Default: `WEFT_MAX_TIME`, else never. */
  maxTimeMs?: number;
  /** Where to write a report as JSON if the run does not end well, or had to be started again. Default: `WEFT_ERROR_FILE`, else nowhere. */
  errorFile?: string;
  /** Ends the run as a TERM to the launcher would. */
  signal?: AbortSignal;
  /** Called when all ranks have exited with 0, while the store still listens: what they left in it can be read. Not called on other nodes than 0. */
  onSuccess?: (store: { address: string; port: number; runKey?: RunKey }) => Promise<void>;
}

/** How a run ended. */
export interface LaunchReport {
  /** What the launcher should exit with: 0, the code of the first failure, 75 if the run can go on from a checkpoint, or another of docs/failures.md. */
  readonly exitCode: number;
  /** What that code says. */
  readonly category: Category;
  /** The failure that the others followed from, if there was one. */
  readonly cause?: FailureCause;
  /** The signal that ended the run, if one did. */
  readonly stoppedBy?: string;
  /** How often it was started again. */
  readonly restarts: number;
}

/** How long the launcher waits until what it has to say is read. */
const DRAIN_MS = 2_000;
/** How long hosts wait for each other to come. */
const MEET_MS = 300_000;
const GRACE_MS = 10_000, FAILURE_GRACE_MS = 3_000, RESTART_DELAY_MS = 1_000;

/**
 * Runs a script once for each device, as ranks that find each other through a store that this process hosts, and resolves when all of them have ended.
 *
 * Ranks get this process's Deno, flags, permissions, working folder and environment. Each is a process group of its own. What they print
 * appears here line by line, with the rank in front if there is more than one. If one fails, or this process gets INT, TERM, HUP or the preemption signal,
 * all are ended (TERM, grace time, KILL) with what they started, and standard error tells what failed first. A run that failed may be
 * started again, as a new generation of ranks.
 *
 * @throws RangeError if hosts, port and address contradict each other; Error if a key is missing, or the store cannot listen. A failing rank is no exception but a report
 *
 * @example
 * ```ts ignore
 * const report = await launchRanks(new URL("file:///home/me/train.ts"), {
 *   devices: await selectDevices({ devices: 2 }),
 *   args: ["--epochs", "5"],
 * });
 * Deno.exit(report.exitCode);
 * ```
 */
export async function launchRanks(script: URL, options: LaunchOptions): Promise<LaunchReport> {
  const { devices, args = [], numNodes = 1, nodeRank = 0, mainAddress = "127.0.0.1", mainPort = 0 } = options;
  const { logDir, tee = false, signal, onSuccess, minNodes = numNodes } = options;
  const runKey = options.runKey ?? (numNodes === 1 && isLoopback(mainAddress) ? RunKey.random() : undefined);
  checkNodes({ numNodes, minNodes, nodeRank, mainAddress, mainPort, runKey });
  const variables = processEnvironment();
  const settings: Settings = { ...readSettings(variables), ...options.settings };
  const localWorldSize = devices.indices.length;
  const meetMs = milliseconds(settings.rendezvousTimeoutSeconds) ?? MEET_MS;
  const heartbeatMs = options.heartbeatMs ?? milliseconds(settings.heartbeatTimeoutSeconds) ?? HEARTBEAT_MS;
  const maxRestarts = options.maxRestarts ?? settings.maxRestarts ?? 0;
  const graceMs = options.graceMs ?? milliseconds(seconds(variables, "WEFT_GRACE"));
  const restartDelayMs = options.restartDelayMs ?? milliseconds(seconds(variables, "WEFT_RESTART_DELAY")) ??
    RESTART_DELAY_MS;
  const maxTimeMs = options.maxTimeMs ?? milliseconds(duration(variables, "WEFT_MAX_TIME"));
  const errorFile = options.errorFile ?? text(variables, "WEFT_ERROR_FILE");
  const endMs = maxTimeMs === undefined ? undefined : performance.now() + maxTimeMs;
  if (logDir !== undefined) await makeLogDir(logDir);
  const flags = await denoFlags();
  await using cleanup = new AsyncDisposableStack();
  const scratch = await Deno.makeTempDir({ prefix: "weft-" });
  cleanup.defer(() => Deno.remove(scratch, { recursive: true }));
  const preemption: readonly string[] = preemptionSignals(settings.preemptionSignal);
  const signals = new SignalLog();
  using _listening = listenForSignals((name) => signals.take(name), {
    preemption: preemption as readonly Deno.Signal[],
  });
  const onAbort = () => signals.take("SIGTERM");
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort);
  using _aborting = { [Symbol.dispose]: () => signal?.removeEventListener("abort", onAbort) };
  const terminal = Deno.stderr.isTerminal();
  const console = new ConsoleOutput({ terminal });
  const say = (text: string) => void console.say(text);
  const onWrongKey = () =>
    say(
      "weft: somebody who wants to join the run has another key, and is refused. If it is one of your hosts: all need the same",
    );
  const store = nodeRank === 0
    ? cleanup.use(await StoreServer.listen({ address: mainAddress, port: mainPort, runKey, onWrongKey }))
    : undefined;
  const connect = async () => {
    if (numNodes === 1) return undefined;
    const at = { address: mainAddress, port: store?.port ?? mainPort, runKey };
    const shared = await connectStore({ ...at, timeoutMs: meetMs, signal: signals.ending });
    const facts = await hostFacts({
      ...{ script, args },
      options: {
        ...{ "--accelerator": settings.accelerator, "--strategy": settings.strategy },
        ...{ "--process-group": settings.processGroup, "--precision": settings.precision },
        ...{ "--max-restarts": maxRestarts, "--timeout": settings.timeoutSeconds },
        ...{ "--num-nodes": `${minNodes}:${numNodes}`, "--heartbeat-timeout": heartbeatMs / 1000 },
        WEFT_SEED: settings.seed,
      },
    });
    const host = { nodeRank, numNodes, minNodes, localWorldSize, heartbeatMs, meetMs };
    return cleanup.use(new HostLink({ ...host, facts, store: shared }));
  };
  const guard = cleanup.use(new OrphanGuard(scratch));
  const runId = numNodes > 1 ? `${mainAddress}:${mainPort}` : crypto.randomUUID();
  const job = text(variables, "SLURM_JOB_ID");
  const firstGeneration = job === undefined ? 0 : integer(variables, "SLURM_RESTART_COUNT") ?? 0;
  const show = logDir === undefined || tee;

  const startRank = startRanksAsProcesses({
    ...{ script, args, devices, scratch, guard, console, logDir, show, denoFlags: flags },
    settings: {
      ...settings,
      launchedBy: options.settings?.launchedBy ?? "script",
      socketFolder: scratch,
      runKey: runKey?.toText(),
      runKeyFile: undefined,
      // A job that Slurm starts again finds it where it ran before.
      checkpointRecord: settings.checkpointRecord ??
        (job === undefined ? `${scratch}/checkpoints` : `${Deno.cwd()}/.weft/slurm-${job}.checkpoints`),
    },
    visibleDevices: text(variables, "CUDA_VISIBLE_DEVICES"),
    columns: terminal && show ? columns() : undefined,
  });
  const run = await runGenerations({
    ...{ firstGeneration, nodeRank, maxRestarts, restartDelayMs, signals, connect, say },
    isOver: () => endMs !== undefined && performance.now() >= endMs,
    run: ({ generation, nodes }, share) =>
      runGeneration({
        ...{ startRank, say, logDir, show, heartbeatMs, endMs, ...share },
        cluster: {
          ...{ nodeRank: nodes.indexOf(nodeRank), numNodes: nodes.length, worldSize: nodes.length * localWorldSize },
          ...{ localWorldSize, mainAddress, runId, generation },
          mainPort: store?.port ?? mainPort,
          storeIsHosted: true,
        },
        graceMs: graceMs ?? GRACE_MS,
        failureGraceMs: graceMs ?? FAILURE_GRACE_MS,
        listen: (listener) => signals.forward(listener),
      }),
  });
  await finish(run);
  const { exitCode, category, cause, reason } = run.result;
  const stoppedBy = reason?.kind === "signal" ? reason.signal : undefined;
  return { exitCode, category, cause, restarts: run.restarts, stoppedBy };

  async function finish({ result, restarts, generation, earlier }: GenerationsResult): Promise<void> {
    const { exitCode, category, reason, failure, ranks, elsewhere } = result;
    const signalName = reason?.kind === "signal" ? reason.signal : undefined;
    if (errorFile !== undefined && (exitCode !== 0 || earlier.length > 0)) {
      const time = new Date().toISOString();
      const report: ErrorReport = {
        ...{ version: 1, runId, generation, exitCode, category, time, signal: signalName, failure, ranks, earlier },
        message: failure ? undefined : elsewhere,
      };
      await writeErrorReport(errorFile, report).catch((error) =>
        console.say(`weft: the report ${errorFile} could not be written: ${error.message}`)
      );
    }
    const isPreempted = signalName !== undefined && preemption.includes(signalName);
    if (isPreempted && category === "resumable" && nodeRank === 0 && job !== undefined && settings.requeue !== false) {
      void console.say(await requeueJob(job));
    }
    if (restarts > 0 && exitCode === 0) {
      void console.say(`weft: finished after ${restarts} restart${restarts === 1 ? "" : "s"}`);
    }
    await Promise.race([console.flush(), after(DRAIN_MS)]);
    if (exitCode === 0 && store) await onSuccess?.({ address: mainAddress, port: store.port, runKey });
  }
}

/** What fits on a line: a full last column makes some terminals wrap. A terminal that does not tell its width has the usual one. */
function columns(): number {
  let columns = 0;
  try {
    ({ columns } = Deno.consoleSize());
  } catch {
    // Not told.
  }
  return Math.max(20, (columns || 80) - 1);
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, ms)));
}

async function makeLogDir(logDir: string): Promise<void> {
  try {
    await Deno.mkdir(logDir, { recursive: true });
  } catch (cause) {
    throw new Error(
      `The folder ${logDir} for the ranks' output cannot be made: ${(cause as Error).message}. Give another one`,
      { cause },
    );
  }
}
