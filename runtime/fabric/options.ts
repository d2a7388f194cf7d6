import type { Strategy, StrategyName } from "../../strategies/strategy.ts";
import type { AcceleratorName } from "../accelerators/accelerator.ts";
import type { ProcessGroupName } from "../core/process_group_name.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import type { ClusterInfo } from "../environments/cluster_info.ts";
import type { Settings } from "../environments/settings.ts";
import type { Logger } from "../loggers/logger.ts";
import type { Precision } from "../precision/precision.ts";

/** What `devices` may be: how many, `"auto"` or -1 for all there are, or which ones (`[0, 2]`, `"0,2"`). */
export type DevicesOption = number | string | readonly number[];

/** Options of Fabric. The launcher's options fill in what is not given. */
export interface FabricOptions {
  /** `"auto"`, `"cpu"`, `"wasm"`, `"webgpu"`, `"cuda"` or `"gpu"`. Default: `"auto"`, the first that works of cuda, cpu and wasm. */
  accelerator?: AcceleratorName;
  /** `"auto"`, `"ddp"`, `"dp"`, `"local_sgd"`, `"single_device"` or an object. Default: `"auto"`, which is ddp for several ranks. */
  strategy?: StrategyName | Strategy;
  /** Default: `"auto"`: what the launcher started, else one a device that the accelerator has. */
  devices?: DevicesOption;
  /** Hosts that take part. Default: 1. */
  numNodes?: number;
  /** `"32-true"` and others, or Lightning's older 16, 32, 64. Default: `"32-true"`. */
  precision?: Precision | 16 | 32 | 64 | "16" | "32" | "64" | "bf16";
  /** Objects whose methods `fabric.call` calls. */
  callbacks?: object | readonly object[];
  /** Where `fabric.log` writes. */
  loggers?: Logger | readonly Logger[];
}

/** {@linkcode FabricOptions} with the launcher's settings taken in: what the code asked for and what the command line did agree. */
export interface FabricConfig {
  readonly accelerator: AcceleratorName;
  readonly strategy: StrategyName | Strategy;
  /** What reduces gradients. */
  readonly processGroup: ProcessGroupName;
  readonly devices: DevicesOption;
  readonly numNodes: number;
  readonly precision: FabricOptions["precision"];
  readonly callbacks: readonly object[];
  readonly loggers: readonly Logger[];
}

const NAMES = ["accelerator", "strategy", "devices", "numNodes", "precision", "callbacks", "loggers"] as const;

/**
 * Merges the options of the code with the settings of the command line.
 * @throws TypeError for an unknown option; Error if code and command line contradict each other
 */
export function resolveFabricOptions(options: FabricOptions, settings: Settings, cluster: ClusterInfo): FabricConfig {
  rejectUnknownOptions("Fabric", options, NAMES);
  checkNames(options);
  const numNodes = agreed("numNodes", options.numNodes, settings.numNodes) ?? cluster.numNodes;
  if (!Number.isInteger(numNodes) || numNodes < 1) {
    throw new RangeError(`\`numNodes\` must be a positive integer, but got ${numNodes}`);
  }
  return Object.freeze({
    accelerator: agreed<string>("accelerator", options.accelerator, settings.accelerator) as AcceleratorName ?? "auto",
    strategy: agreed("strategy", options.strategy, settings.strategy as StrategyName | undefined) ?? "auto",
    processGroup: agreedProcessGroup(options.strategy, settings) ?? "zeromq",
    devices: agreed<DevicesOption>("devices", options.devices, settings.devices) ?? "auto",
    numNodes,
    precision: agreed("precision", options.precision, settings.precision as FabricOptions["precision"]),
    callbacks: list("callbacks", options.callbacks, () => true),
    loggers: list("loggers", options.loggers, (item) => "logMetrics" in item),
  });
}

/** One value from two places that may both have given it. `"auto"` in the code gives way to the command line. */
function agreed<T>(name: string, code: T | undefined, commandLine: T | undefined): T | undefined {
  if (commandLine === undefined || code === undefined || code === "auto") return commandLine ?? code;
  if (typeof code === "object" && name === "strategy") return code;
  if (String(code) !== String(commandLine)) {
    const flag = name.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase());
    throw contradiction(`${name}: ${JSON.stringify(code)}`, `--${flag} ${commandLine}`);
  }
  return code;
}

/** The strategy's own choice, which the command line may repeat or make in its place. */
function agreedProcessGroup(
  strategy: FabricOptions["strategy"],
  { processGroup: commandLine }: Settings,
): ProcessGroupName | undefined {
  const code = typeof strategy === "object" ? strategy.processGroup?.name : undefined;
  if (code === undefined || commandLine === undefined || code === commandLine) return code ?? commandLine;
  throw contradiction(`processGroup: ${JSON.stringify(code)}`, `--process-group ${commandLine}`);
}

function contradiction(code: string, commandLine: string): Error {
  return new Error(
    `Your code has \`${code}\` but the launcher was given \`${commandLine}\`. ` +
      "Remove it either from the command line or from the code.",
  );
}

function checkNames({ accelerator, strategy }: FabricOptions): void {
  if (accelerator !== undefined && typeof accelerator !== "string") {
    throw new TypeError(`\`accelerator\` must be a name such as "auto", but got ${Deno.inspect(accelerator)}`);
  }
  if (strategy === undefined || typeof strategy === "string" || typeof strategy?.connect === "function") return;
  throw new TypeError(
    `\`strategy\` must be a name such as "ddp" or a strategy such as \`new DDPStrategy()\`, but got ${
      Deno.inspect(strategy)
    }`,
  );
}

function list<T extends object>(
  name: string,
  given: T | readonly T[] | undefined,
  fits: (item: object) => boolean,
): readonly T[] {
  const items = given === undefined ? [] : Array.isArray(given) ? [...given] : [given as T];
  for (const item of items) {
    if (typeof item === "object" && item !== null && fits(item)) continue;
    const example = name === "loggers" ? 'new CSVLogger("logs")' : "{ onAfterSetup() {} }";
    throw new TypeError(`\`${name}\` takes objects such as \`${example}\`, but got ${Deno.inspect(item)}`);
  }
  return Object.freeze(items);
}
