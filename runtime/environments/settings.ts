import { PROCESS_GROUP_NAMES, type ProcessGroupName } from "../core/process_group_name.ts";
import { choice, flag, integer, nodeRange, seconds, signalName, text, type Variables } from "./variables.ts";

/** What the launcher, or the person at the shell, sets by environment variable. A field is absent if its variable is. */
export interface Settings {
  /** `WEFT_ACCELERATOR`, as given, e.g. `wasm`. */
  readonly accelerator?: string;
  /** `WEFT_STRATEGY`, as given, e.g. `ddp`. */
  readonly strategy?: string;
  /** `WEFT_PROCESS_GROUP`: what reduces gradients. */
  readonly processGroup?: ProcessGroupName;
  /** `WEFT_DEVICES`, as given, e.g. `2`, `auto`, `0,1`. */
  readonly devices?: string;
  /** `WEFT_NUM_NODES`: hosts. */
  readonly numNodes?: number;
  /** `WEFT_PRECISION`, as given, e.g. `16-mixed`. */
  readonly precision?: string;
  /** `WEFT_TIMEOUT`: how long a collective waits for the other ranks, in seconds. */
  readonly timeoutSeconds?: number;
  /** `WEFT_RENDEZVOUS_TIMEOUT`: how long ranks wait to find each other, in seconds. */
  readonly rendezvousTimeoutSeconds?: number;
  /** `WEFT_MAX_RESTARTS`: how often a failed run may be started again. */
  readonly maxRestarts?: number;
  /** `WEFT_TERMINAL`: columns of the launcher's terminal; absent where there is none. */
  readonly terminalColumns?: number;
  /** `WEFT_HEARTBEAT_TIMEOUT`: how long a rank or a host may show no sign of life, in seconds. */
  readonly heartbeatTimeoutSeconds?: number;
  /** `WEFT_PAGE`: the file in which the launcher sees what a rank does, and where the rank writes what it threw. */
  readonly pageFile?: string;
  /** `WEFT_SOCKET_FOLDER`: where socket files go; the launcher removes it, however the rank ended. */
  readonly socketFolder?: string;
  /** `WEFT_CHECKPOINT_RECORD`: the file that lists what can be resumed from. */
  readonly checkpointRecord?: string;
  /** `WEFT_PREEMPTION_SIGNAL`: the signal by which the cluster asks for the machine back, e.g. `SIGUSR1`, or `none`. */
  readonly preemptionSignal?: string;
  /** `WEFT_REQUEUE`: whether a preempted Slurm job puts itself into the queue again. */
  readonly requeue?: boolean;
  /** `WEFT_RUN_KEY`: the key of a run that spans hosts, as 64 hexadecimal digits. */
  readonly runKey?: string;
  /** `WEFT_RUN_KEY_FILE`: the file that holds it instead. */
  readonly runKeyFile?: string;
  /** `WEFT_LAUNCHER_PID`: the process that a rank must not outlive. */
  readonly launcherPid?: number;
  /** `WEFT_LAUNCHED_BY`: whether the ranks were started by the command line or by `fabric.launch()` in the script itself. */
  readonly launchedBy?: "command line" | "script";
  /** `WEFT_SILENCE`: codes of warnings that are not said, comma-separated in the variable. Empty if it is unset. */
  readonly silencedWarnings: readonly string[];
  /** `LIBZMQ_PATH`: the libzmq to use instead of the one that npm installs. */
  readonly libzmqPath?: string;
  /** `WEFT_SEED`: the seed that `seed_everything()` takes if it is given none. */
  readonly seed?: number;
  /** `WEFT_SEED_WORKERS`: whether data loading workers are seeded too. */
  readonly seedWorkers?: boolean;
}

/**
 * Reads the settings from environment variables.
 *
 * @throws RangeError or TypeError naming the variable and its value, if that is not what the variable may hold
 *
 * @example
 * ```ts
 * const settings = readSettings({ WEFT_DEVICES: "2", WEFT_SILENCE: "few-workers,log-folder" });
 * console.assert(settings.devices === "2");
 * console.assert(settings.silencedWarnings.length === 2);
 * ```
 */
export function readSettings(variables: Variables): Settings {
  const launchedBy = text(variables, "WEFT_LAUNCHED_BY");
  if (launchedBy !== undefined && launchedBy !== "command line" && launchedBy !== "script") {
    throw new TypeError(
      `The environment variable WEFT_LAUNCHED_BY=${launchedBy} must be "command line" or "script": unset it, the launcher sets it`,
    );
  }
  const nodes = nodeRange(variables, "WEFT_NUM_NODES");
  const settings: Settings = {
    accelerator: text(variables, "WEFT_ACCELERATOR"),
    strategy: text(variables, "WEFT_STRATEGY"),
    processGroup: choice(variables, "WEFT_PROCESS_GROUP", PROCESS_GROUP_NAMES),
    devices: text(variables, "WEFT_DEVICES"),
    // Of a range the launcher decides, generation by generation; it tells its ranks a number.
    numNodes: nodes && nodes.min === nodes.max ? nodes.max : undefined,
    precision: text(variables, "WEFT_PRECISION"),
    timeoutSeconds: seconds(variables, "WEFT_TIMEOUT"),
    rendezvousTimeoutSeconds: seconds(variables, "WEFT_RENDEZVOUS_TIMEOUT"),
    maxRestarts: integer(variables, "WEFT_MAX_RESTARTS"),
    terminalColumns: integer(variables, "WEFT_TERMINAL", { min: 1 }),
    heartbeatTimeoutSeconds: seconds(variables, "WEFT_HEARTBEAT_TIMEOUT"),
    pageFile: text(variables, "WEFT_PAGE"),
    socketFolder: text(variables, "WEFT_SOCKET_FOLDER"),
    checkpointRecord: text(variables, "WEFT_CHECKPOINT_RECORD"),
    preemptionSignal: signalName(variables, "WEFT_PREEMPTION_SIGNAL"),
    requeue: flag(variables, "WEFT_REQUEUE"),
    runKey: text(variables, "WEFT_RUN_KEY"),
    runKeyFile: text(variables, "WEFT_RUN_KEY_FILE"),
    launcherPid: integer(variables, "WEFT_LAUNCHER_PID", { min: 1 }),
    launchedBy,
    silencedWarnings: (text(variables, "WEFT_SILENCE") ?? "").split(",").map((code) => code.trim()).filter(Boolean),
    libzmqPath: text(variables, "LIBZMQ_PATH"),
    seed: integer(variables, "WEFT_SEED", { max: 4294967295 }),
    seedWorkers: flag(variables, "WEFT_SEED_WORKERS"),
  };
  return Object.freeze(
    Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as unknown as Settings,
  );
}
