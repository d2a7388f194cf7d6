import type { DeviceSelection } from "../runtime/devices/select_devices.ts";
import { childEnvironment } from "../runtime/environments/child_environment.ts";
import { processEnvironment } from "../runtime/environments/process_environment.ts";
import type { Settings } from "../runtime/environments/settings.ts";
import { readSettings } from "../runtime/environments/settings.ts";
import { text } from "../runtime/environments/variables.ts";
import { ConsoleOutput } from "./console_output.ts";
import { denoFlags } from "./deno_flags.ts";
import { failureReport } from "./failure_report.ts";
import { hostStore, isLoopback } from "./host_store.ts";
import { OrphanGuard } from "./orphan_guard.ts";
import { type FailureCause, outcomeOf } from "./outcome.ts";
import { processesMarked, signalGroups } from "./process_groups.ts";
import { type RankError, readRankError } from "./rank_error.ts";
import { Rank } from "./rank_process.ts";
import { listenForSignals } from "./signals.ts";
import { supervise } from "./supervise.ts";

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
  /** Which of the hosts this one is. Default: 0. */
  nodeRank?: number;
  /** Where the launcher of node 0 listens. Default: `127.0.0.1`; another address only with more than one host. */
  mainAddress?: string;
  /** Its port. Default: 0, one that is free; with more than one host it must be given. */
  mainPort?: number;
  /** A folder for one log file a rank and stream, made if it is missing. Default: none. */
  logDir?: string;
  /** With `logDir`: whether the output is shown as well. Default: false. */
  tee?: boolean;
  /** How long ranks may take to end after TERM before they get KILL, in milliseconds. Default: 10,000. */
  graceMs?: number;
  /** Ends the run as a TERM to the launcher would. */
  signal?: AbortSignal;
  /** Called when all ranks have exited with 0, while the store still listens: what they left in it can be read. Not called on other nodes than 0. */
  onSuccess?: (store: { address: string; port: number }) => Promise<void>;
}

/** How a run ended. */
export interface LaunchReport {
  /** What the launcher should exit with: 0, the code of the first failure, or 128 and the number of the signal that ended the run. */
  readonly exitCode: number;
  /** The failure that the others followed from, if there was one. */
  readonly cause?: FailureCause;
  /** The signal that ended the run, if one did. */
  readonly stoppedBy?: string;
}

/** How long output may take to be written after the last rank has ended. */
const DRAIN_MS = 2_000;

/**
 * Runs a script once for each device, as ranks that find each other through a store that this process hosts, and resolves when all of them have ended.
 *
 * Ranks get this process's Deno, flags, permissions, working folder and environment. Each is a process group of its own. What they print
 * appears here line by line, with the rank in front if there is more than one. If one fails, or this process gets INT, TERM or HUP, all
 * are ended (TERM, grace time, KILL) with what they started, and standard error tells what failed first.
 *
 * @throws RangeError if hosts, port and address contradict each other; Error if the store cannot listen. A failing rank is no exception but a report
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
  const { logDir, tee = false, graceMs = 10_000, signal, onSuccess } = options;
  checkNodes({ numNodes, nodeRank, mainAddress, mainPort });
  const variables = processEnvironment();
  const settings: Settings = { ...readSettings(variables), ...options.settings };
  const localWorldSize = devices.indices.length, worldSize = numNodes * localWorldSize;
  if (logDir !== undefined) await makeLogDir(logDir);
  const flags = await denoFlags();
  await using cleanup = new AsyncDisposableStack();
  const scratch = await Deno.makeTempDir({ prefix: "weft-" });
  cleanup.defer(() => Deno.remove(scratch, { recursive: true }));
  const store = nodeRank === 0 ? cleanup.use(await hostStore({ address: mainAddress, port: mainPort })) : undefined;
  const guard = cleanup.use(new OrphanGuard(scratch));
  const terminal = Deno.stderr.isTerminal();
  const console = new ConsoleOutput({ terminal });
  const runId = numNodes > 1 ? `${mainAddress}:${mainPort}` : crypto.randomUUID();
  const errorFile = (rank: number) => `${scratch}/rank_${rank}.json`;

  const ranks: Rank[] = [];
  using listening = collectSignals(signal);
  using unsupervised = new DisposableStack();
  unsupervised.defer(() => signalGroups(ranks.map((rank) => rank.pid), "SIGKILL"));
  for (let localRank = 0; localRank < localWorldSize; localRank++) {
    const rank = nodeRank * localWorldSize + localRank;
    const prefix = worldSize > 1 ? `[rank ${rank}] ` : "";
    const environment = childEnvironment({
      cluster: {
        ...{ rank, localRank, nodeRank, worldSize, localWorldSize, numNodes, mainAddress, runId, generation: 0 },
        mainPort: store?.port ?? mainPort,
        storeIsHosted: true,
      },
      settings: {
        ...settings,
        errorFile: errorFile(rank),
        launcherPid: Deno.pid,
        launchedBy: options.settings?.launchedBy ?? "script",
        terminalColumns: terminal && (logDir === undefined || tee) ? columns() - prefix.length : undefined,
      },
      cudaDevice: devices.accelerator === "cuda"
        ? cudaName(devices.indices[localRank], text(variables, "CUDA_VISIBLE_DEVICES"))
        : undefined,
    });
    const started = new Rank(rank, {
      ...{ script, args, denoFlags: flags, environment, console, logDir },
      prefix,
      show: logDir === undefined || tee,
    });
    guard.watch(started.pid);
    ranks.push(started);
  }

  const run = await supervise(ranks, {
    graceMs,
    listen: listening.forward,
    onStop: (reason) => {
      if (reason.kind === "signal") {
        void console.say(`weft: ${reason.signal}: ending the ranks; once more to kill them`);
      }
    },
  });
  unsupervised.move();
  for (const pid of await processesMarked([`WEFT_LAUNCHER_PID=${Deno.pid}`, `WEFT_RUN_ID=${runId}`])) {
    kill(pid);
  }
  await Promise.all(ranks.map((rank) => rank.drained(DRAIN_MS)));
  const errors = new Map<number, RankError>();
  for (const { rank } of ranks) {
    const error = await readRankError(errorFile(rank));
    if (error) errors.set(rank, error);
  }
  const { exitCode, cause } = outcomeOf({ ...run, errors });
  const reason = run.reason?.kind === "finished" ? undefined : run.reason;
  const ended = run.processes.flatMap(({ rank, exit }) =>
    reason && exit?.signal && exit.atMs >= run.stoppedMs! && rank !== cause?.rank ? [{ rank, signal: exit.signal }] : []
  );
  const hidden = logDir !== undefined && !tee;
  const tail = hidden ? ranks.find(({ rank }) => rank === cause?.rank)?.errorTail : undefined;
  const report = failureReport({ cause, reason, ended, tail, logDir });
  if (report) void console.say(report);
  await Promise.race([console.flush(), after(DRAIN_MS)]);
  if (exitCode === 0 && store) await onSuccess?.({ address: mainAddress, port: store.port });
  return { exitCode, cause, stoppedBy: reason?.kind === "signal" ? reason.signal : undefined };
}

function checkNodes(nodes: { numNodes: number; nodeRank: number; mainAddress: string; mainPort: number }): void {
  const { numNodes, nodeRank, mainAddress, mainPort } = nodes;
  if (!Number.isSafeInteger(numNodes) || numNodes < 1) {
    throw new RangeError(`The number of hosts (num-nodes) must be a positive integer, but is ${numNodes}`);
  }
  if (!Number.isSafeInteger(nodeRank) || nodeRank < 0 || nodeRank >= numNodes) {
    throw new RangeError(
      `The host's rank (node-rank) is ${nodeRank}, but must be 0 to ${numNodes - 1} with ${numNodes} hosts (num-nodes)`,
    );
  }
  if (numNodes > 1 && mainPort === 0) {
    throw new RangeError(
      `With ${numNodes} hosts every launcher must be told the same main-port, e.g. --main-port 29400`,
    );
  }
  if (numNodes === 1 && !isLoopback(mainAddress)) {
    throw new RangeError(
      `The main-address ${mainAddress} can be reached from other hosts, which a run on one host has no use for: ` +
        `leave it out, or say how many hosts there are with --num-nodes`,
    );
  }
}

/** Signals to this process from now on, so that one that comes while the ranks are being started is not lost. */
function collectSignals(abort: AbortSignal | undefined) {
  const early: string[] = [];
  let forward: (signal: string) => void = (signal) => void early.push(signal);
  const listening = listenForSignals((signal) => forward(signal));
  const onAbort = () => forward("SIGTERM");
  if (abort?.aborted) onAbort();
  abort?.addEventListener("abort", onAbort);
  return {
    forward(listener: (signal: string) => void): Disposable {
      forward = listener;
      for (const signal of early.splice(0)) listener(signal);
      return { [Symbol.dispose]: () => forward = () => {} };
    },
    [Symbol.dispose]() {
      listening[Symbol.dispose]();
      abort?.removeEventListener("abort", onAbort);
    },
  };
}

/** Devices are counted among those that this process may see, and named as the driver knows them. */
function cudaName(index: number, visible: string | undefined): string {
  return visible?.split(",")[index]?.trim() ?? String(index);
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

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
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
