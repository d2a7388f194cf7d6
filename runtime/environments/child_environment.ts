import type { ClusterInfo } from "./cluster_info.ts";
import type { Settings } from "./settings.ts";

/** What {@linkcode childEnvironment} makes a rank's variables from. */
export interface ChildEnvironmentOptions {
  /** Which rank it is, and where the store listens. */
  cluster: Omit<ClusterInfo, "kind">;
  /** What it is told beside that. What is absent is set to the empty string, which counts as unset, so that nothing is inherited by accident. */
  settings: Settings;
  /** The GPU that the rank sees, as `CUDA_VISIBLE_DEVICES` names it. Default: the variable is left as it is. */
  cudaDevice?: string;
}

/** The variables that make a child process a rank: added to those that it inherits. The inverse of `detectCluster` and `readSettings`. */
export function childEnvironment({ cluster, settings, cudaDevice }: ChildEnvironmentOptions): Record<string, string> {
  const given = (value: string | number | boolean | undefined) => value === undefined ? "" : String(value);
  const seedWorkers = settings.seedWorkers === undefined ? undefined : Number(settings.seedWorkers);
  return {
    RANK: String(cluster.rank),
    LOCAL_RANK: String(cluster.localRank),
    WORLD_SIZE: String(cluster.worldSize),
    LOCAL_WORLD_SIZE: String(cluster.localWorldSize),
    NODE_RANK: String(cluster.nodeRank),
    GROUP_RANK: String(cluster.nodeRank),
    GROUP_WORLD_SIZE: String(cluster.numNodes),
    MASTER_ADDR: cluster.mainAddress,
    MASTER_PORT: String(cluster.mainPort),
    WEFT_RUN_ID: cluster.runId,
    WEFT_RESTART: String(cluster.generation),
    WEFT_STORE: cluster.storeIsHosted ? "1" : "0",
    WEFT_ACCELERATOR: given(settings.accelerator),
    WEFT_STRATEGY: given(settings.strategy),
    WEFT_PROCESS_GROUP: given(settings.processGroup),
    WEFT_DEVICES: given(settings.devices),
    WEFT_NUM_NODES: String(cluster.numNodes),
    WEFT_PRECISION: given(settings.precision),
    WEFT_TIMEOUT: given(settings.timeoutSeconds),
    WEFT_RENDEZVOUS_TIMEOUT: given(settings.rendezvousTimeoutSeconds),
    WEFT_MAX_RESTARTS: given(settings.maxRestarts),
    WEFT_TERMINAL: given(settings.terminalColumns),
    WEFT_HEARTBEAT_TIMEOUT: given(settings.heartbeatTimeoutSeconds),
    WEFT_PAGE: given(settings.pageFile),
    WEFT_SOCKET_FOLDER: given(settings.socketFolder),
    WEFT_CHECKPOINT_RECORD: given(settings.checkpointRecord),
    WEFT_PREEMPTION_SIGNAL: given(settings.preemptionSignal),
    // The launcher's alone: a launcher that a rank starts must not write to the same file.
    WEFT_ERROR_FILE: "",
    WEFT_REQUEUE: given(settings.requeue === undefined ? undefined : Number(settings.requeue)),
    WEFT_RUN_KEY: given(settings.runKey),
    WEFT_RUN_KEY_FILE: given(settings.runKeyFile),
    WEFT_LAUNCHER_PID: given(settings.launcherPid),
    WEFT_LAUNCHED_BY: given(settings.launchedBy),
    WEFT_SILENCE: settings.silencedWarnings.join(","),
    LIBZMQ_PATH: given(settings.libzmqPath),
    WEFT_SEED: given(settings.seed),
    WEFT_SEED_WORKERS: given(seedWorkers),
    ...(cudaDevice === undefined ? {} : { CUDA_VISIBLE_DEVICES: cudaDevice }),
  };
}
