/** One option of the command line: what parses it, documents it and names its environment variable. */
export interface LauncherOption {
  readonly name: string;
  /** Takes its place if the option is not given. */
  readonly variable: string;
  /** What the value is called in the help; absent for a switch. */
  readonly value?: string;
  readonly help: string;
}

/** Every option of the launcher, in the order of its help. */
export const LAUNCHER_OPTIONS = [
  {
    name: "devices",
    variable: "WEFT_DEVICES",
    value: "N",
    help: "devices on this host, one rank each: a number, auto or -1 for all, a list such as 0,1 (default: auto)",
  },
  {
    name: "accelerator",
    variable: "WEFT_ACCELERATOR",
    value: "NAME",
    help: "auto, cpu, wasm, webgpu, cuda, gpu (default: what the script says, else auto)",
  },
  {
    name: "strategy",
    variable: "WEFT_STRATEGY",
    value: "NAME",
    help: "how the ranks train together, e.g. ddp (default: what the script says, else auto)",
  },
  {
    name: "process-group",
    variable: "WEFT_PROCESS_GROUP",
    value: "NAME",
    help: "what reduces gradients: zeromq, or tensorflow on cpu and cuda (default: what the script says, else zeromq)",
  },
  {
    name: "precision",
    variable: "WEFT_PRECISION",
    value: "NAME",
    help: "e.g. 32-true, 16-mixed (default: what the script says, else 32-true)",
  },
  {
    name: "num-nodes",
    variable: "WEFT_NUM_NODES",
    value: "N",
    help: "hosts; start the launcher on each. MIN:MAX: hosts may leave and join (default: 1)",
  },
  { name: "node-rank", variable: "WEFT_NODE_RANK", value: "N", help: "which of the hosts this one is (default: 0)" },
  {
    name: "main-address",
    variable: "WEFT_MAIN_ADDRESS",
    value: "IP",
    help: "where the host with node rank 0 listens (default: 127.0.0.1)",
  },
  { name: "main-port", variable: "WEFT_MAIN_PORT", value: "PORT", help: "its port (default: one that is free)" },
  {
    name: "key-file",
    variable: "WEFT_RUN_KEY_FILE",
    value: "PATH",
    help:
      "the key of a run with several hosts; node 0 makes the file if it is missing (default: what WEFT_RUN_KEY holds)",
  },
  {
    name: "max-restarts",
    variable: "WEFT_MAX_RESTARTS",
    value: "N",
    help: "how often a run that failed is started again, from its newest checkpoint (default: 0)",
  },
  {
    name: "restart-delay",
    variable: "WEFT_RESTART_DELAY",
    value: "SECONDS",
    help: "wait before the first restart; doubles each time, up to 30 (default: 1)",
  },
  {
    name: "max-time",
    variable: "WEFT_MAX_TIME",
    value: "TIME",
    help: "stop after seconds, or DD:HH:MM:SS; the ranks save, as at TERM (default: no limit)",
  },
  {
    name: "log-dir",
    variable: "WEFT_LOG_DIR",
    value: "DIR",
    help: "write the output of rank N to DIR/rank_N.stdout.log and .stderr.log, not to the terminal",
  },
  { name: "tee", variable: "WEFT_TEE", help: "with --log-dir: write it to the terminal too" },
  {
    name: "timeout",
    variable: "WEFT_TIMEOUT",
    value: "SECONDS",
    help: "how long a rank waits for the others in a collective (default: 1800)",
  },
  {
    name: "rendezvous-timeout",
    variable: "WEFT_RENDEZVOUS_TIMEOUT",
    value: "SECONDS",
    help: "how long ranks wait to find each other (default: 300)",
  },
  {
    name: "grace",
    variable: "WEFT_GRACE",
    value: "SECONDS",
    help: "how long ranks may take to end after TERM, before they get KILL (default: 10, after a failure 3)",
  },
  {
    name: "heartbeat-timeout",
    variable: "WEFT_HEARTBEAT_TIMEOUT",
    value: "SECONDS",
    help: "how long a rank or a host may show no sign of life; computing is one (default: 10)",
  },
  {
    name: "preemption-signal",
    variable: "WEFT_PREEMPTION_SIGNAL",
    value: "NAME",
    help: "the cluster's warning, at which ranks save and stop; none: there is none (default: USR1 and USR2)",
  },
  {
    name: "error-file",
    variable: "WEFT_ERROR_FILE",
    value: "PATH",
    help: "write a report as JSON there, if the run does not end well or had to be restarted",
  },
] as const satisfies readonly LauncherOption[];

/** The name of an option, without the dashes. */
export type OptionName = typeof LAUNCHER_OPTIONS[number]["name"];
