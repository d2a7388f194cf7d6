import type { Variables } from "./variables.ts";

/** Read one by one where a process may read only some variables. */
const KNOWN = [
  ...["RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "GROUP_WORLD_SIZE"],
  ...["MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"],
  ...["TORCHELASTIC_USE_AGENT_STORE", "CUDA_VISIBLE_DEVICES", "LIBZMQ_PATH"],
  ...["TENSORFLOW_LIB_DIR", "XDG_CACHE_HOME", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"],
  ...["RUN_ID", "RESTART", "STORE", "ACCELERATOR", "STRATEGY", "DEVICES", "NUM_NODES", "NODE_RANK", "MAIN_ADDRESS"]
    .map((name) => `WEFT_${name}`),
  ...["MAIN_PORT", "PRECISION", "TIMEOUT", "RENDEZVOUS_TIMEOUT", "MAX_RESTARTS", "TERMINAL", "ERROR_FILE", "GRACE"]
    .map((name) => `WEFT_${name}`),
  ...["HEARTBEAT_TIMEOUT", "PAGE", "SOCKET_FOLDER", "CHECKPOINT_RECORD", "PREEMPTION_SIGNAL", "REQUEUE", "MAX_TIME"]
    .map((name) => `WEFT_${name}`),
  ...["RUN_KEY", "RUN_KEY_FILE", "PROCESS_GROUP", "RESTART_DELAY"]
    .map((name) => `WEFT_${name}`),
  ...["LAUNCHER_PID", "LAUNCHED_BY", "SILENCE", "SEED", "SEED_WORKERS", "LOG_DIR", "TEE"].map((name) => `WEFT_${name}`),
  ...["NTASKS", "PROCID", "LOCALID", "NODEID", "NNODES", "STEP_NUM_NODES", "STEP_TASKS_PER_NODE", "TASKS_PER_NODE"]
    .map((name) => `SLURM_${name}`),
  ...["NTASKS_PER_NODE", "NODELIST", "STEP_NODELIST", "JOB_NODELIST", "JOB_ID", "STEP_ID", "STEPID", "JOB_NAME"]
    .map((name) => `SLURM_${name}`),
  ...[
    "SLURM_PTY_PORT",
    "SLURM_RESTART_COUNT",
    "PMIX_NAMESPACE",
    "OMPI_MCA_ess_base_jobid",
    "OMPI_MCA_orte_num_nodes",
    "JOB_COMPLETION_INDEX",
  ],
  ...["RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE"].map((name) => `OMPI_COMM_WORLD_${name}`),
];

/**
 * The variables of this process that it may read: never asks for a permission, and takes a variable that it may not read for an
 * unset one. With the command line, the only reader of the environment; everything else takes its result.
 */
export function processEnvironment(): Variables {
  if (Deno.permissions.querySync({ name: "env" }).state === "granted") return Deno.env.toObject();
  const variables: Record<string, string | undefined> = {};
  for (const variable of KNOWN) {
    if (Deno.permissions.querySync({ name: "env", variable }).state === "granted") {
      variables[variable] = Deno.env.get(variable);
    }
  }
  return variables;
}
