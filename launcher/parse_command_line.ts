import { parseArgs } from "node:util";
import { PROCESS_GROUP_NAMES, type ProcessGroupName } from "../runtime/core/process_group_name.ts";
import { closest } from "../runtime/core/suggest.ts";
import {
  choice,
  duration,
  flag,
  integer,
  nodeRange,
  seconds,
  signalName,
  text,
  type Variables,
} from "../runtime/environments/variables.ts";
import { LAUNCHER_OPTIONS, type LauncherOption, type OptionName } from "./options.ts";

/** What the command line asks for. */
export type CommandLine = { help: true } | { help: false; script: string; args: string[]; options: LauncherSettings };

/** The options, typed and with their defaults. */
export interface LauncherSettings {
  readonly devices?: string;
  readonly accelerator?: string;
  readonly strategy?: string;
  readonly processGroup?: ProcessGroupName;
  readonly precision?: string;
  readonly numNodes: number;
  /** Fewer than `numNodes` if hosts may leave and join. */
  readonly minNodes: number;
  readonly nodeRank: number;
  readonly mainAddress: string;
  /** 0: one that is free. */
  readonly mainPort: number;
  readonly keyFile?: string;
  readonly maxRestarts: number;
  readonly logDir?: string;
  readonly tee: boolean;
  readonly timeoutSeconds?: number;
  readonly rendezvousTimeoutSeconds?: number;
  /** Absent: the launcher's own. */
  readonly graceSeconds?: number;
  readonly heartbeatTimeoutSeconds?: number;
  readonly restartDelaySeconds?: number;
  readonly maxTimeSeconds?: number;
  readonly preemptionSignal?: string;
  readonly errorFile?: string;
}

/**
 * Parses `[options] SCRIPT [script's own arguments]`. An option that is not given is taken from its environment variable.
 *
 * @throws TypeError for an unknown option (naming the one that was probably meant), a missing script or value; RangeError for a value out of range
 */
export function parseCommandLine(args: readonly string[], variables: Variables = {}): CommandLine {
  const options = Object.fromEntries([
    ...LAUNCHER_OPTIONS.map((option: LauncherOption) =>
      [option.name, { type: option.value ? "string" : "boolean" }] as const
    ),
    ["help", { type: "boolean", short: "h" }] as const,
  ]);
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const given: Record<string, string | undefined> = {};
  let script: string | undefined, rest: string[] = [];
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      script = token.value;
      rest = args.slice(token.index + 1);
      break;
    }
    if (token.name === "help" || token.name === "h") return { help: true };
    given[`--${token.name}`] = valueOf(token);
  }
  // An option's value wins over its variable: both are then read, checked and reported the same way.
  const read = <T>(name: OptionName, reader: (variables: Variables, name: string) => T): T => {
    if (given[`--${name}`] !== undefined) return reader(given, `--${name}`);
    return reader(variables, LAUNCHER_OPTIONS.find((option) => option.name === name)!.variable);
  };
  const nodes = read("num-nodes", nodeRange);
  const settings: LauncherSettings = {
    devices: read("devices", text),
    accelerator: read("accelerator", text),
    strategy: read("strategy", text),
    processGroup: read("process-group", (from, name) => choice(from, name, PROCESS_GROUP_NAMES)),
    precision: read("precision", text),
    numNodes: nodes?.max ?? 1,
    minNodes: nodes?.min ?? 1,
    nodeRank: read("node-rank", integer) ?? 0,
    mainAddress: read("main-address", text) ?? "127.0.0.1",
    mainPort: read("main-port", (from, name) => integer(from, name, { max: 65535 })) ?? 0,
    keyFile: read("key-file", text),
    maxRestarts: read("max-restarts", integer) ?? 0,
    logDir: read("log-dir", text),
    tee: read("tee", flag) ?? false,
    timeoutSeconds: read("timeout", seconds),
    rendezvousTimeoutSeconds: read("rendezvous-timeout", seconds),
    graceSeconds: read("grace", seconds),
    heartbeatTimeoutSeconds: read("heartbeat-timeout", seconds),
    restartDelaySeconds: read("restart-delay", seconds),
    maxTimeSeconds: read("max-time", duration),
    preemptionSignal: read("preemption-signal", signalName),
    errorFile: read("error-file", text),
  };
  if (script === undefined) {
    throw new TypeError(
      "No script is given. Usage: launcher/main.ts [options] SCRIPT [script's own arguments]; see --help",
    );
  }
  if (settings.tee && settings.logDir === undefined) {
    throw new TypeError("`--tee` writes to the terminal what goes to log files: give --log-dir too, or leave it out");
  }
  return { help: false, script, args: rest, options: settings };
}

function valueOf(token: { name: string; rawName: string; value?: string; inlineValue?: boolean }): string {
  const option: LauncherOption | undefined = LAUNCHER_OPTIONS.find((option) => option.name === token.name);
  if (!option || !token.rawName.startsWith("--")) {
    const meant = closest(token.name, [...LAUNCHER_OPTIONS.map((option) => option.name), "help"]);
    throw new TypeError(
      `\`${token.rawName}\` is no option of the launcher${meant ? `; did you mean \`--${meant}\`?` : "."} ` +
        `Options of the script follow the script; --help lists the launcher's`,
    );
  }
  if (!option.value) return token.value ?? "1";
  if (token.value === undefined || token.value === "" || (token.value.startsWith("--") && !token.inlineValue)) {
    throw new TypeError(`\`--${option.name}\` needs a value: \`--${option.name} ${option.value}\` (${option.help})`);
  }
  return token.value;
}
