import { info } from "../core/messages.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { plainParams } from "./hyperparams.ts";
import type { Logger } from "./logger.ts";
import { checkStep, namedMetrics } from "./metrics.ts";

/** Options of {@linkcode ConsoleLogger}. */
export interface ConsoleLoggerOptions {
  /** The experiment. Default: "lightning_logs". */
  name?: string;
  /** The run. Default: "version_0". */
  version?: string;
  /** Put before every metric's name, followed by `-`. Default: "". */
  prefix?: string;
  /** Takes each line. Default: the runtime's own messages, on standard error. */
  print?: (line: string) => void;
}

/**
 * Says metrics as lines: `step 10  train_loss=0.25  val_acc=0.9669`.
 *
 * @example
 * ```ts
 * const lines: string[] = [];
 * const logger = new ConsoleLogger({ print: (line) => lines.push(line) });
 * logger.logMetrics({ train_loss: 0.25 }, 10);
 * console.log(lines[0]); // step 10  train_loss=0.25
 * ```
 */
export class ConsoleLogger implements Logger {
  readonly name: string;
  readonly version: string;
  readonly logDir: undefined = undefined;
  readonly #prefix: string;
  readonly #print: (line: string) => void;
  #rows = 0;

  /** @throws TypeError for an option that is unknown */
  constructor(options: ConsoleLoggerOptions = {}) {
    rejectUnknownOptions("ConsoleLogger", options, ["name", "version", "prefix", "print"]);
    this.name = options.name ?? "lightning_logs";
    this.version = options.version ?? "version_0";
    this.#prefix = options.prefix ?? "";
    this.#print = options.print ?? ((line) => info(line));
  }

  /** Says one line at once. Without a step it gets the number of the call. */
  logMetrics(metrics: Readonly<Record<string, number>>, step?: number): void {
    checkStep(step);
    const named = Object.entries(namedMetrics(metrics, this.#prefix));
    this.#print([`step ${step ?? this.#rows}`, ...named.map(([name, value]) => `${name}=${short(value)}`)].join("  "));
    this.#rows++;
  }

  logHyperparams(params: Readonly<Record<string, unknown>>): void {
    const entries = Object.entries(plainParams(params));
    this.#print(["hyperparameters", ...entries.map(([name, value]) => `${name}=${JSON.stringify(value)}`)].join("  "));
  }

  save(): Promise<void> {
    return Promise.resolve();
  }

  finalize(_status: "success" | "failed" | "interrupted"): Promise<void> {
    return Promise.resolve();
  }
}

/** Four digits, without the zeros at the end. */
function short(value: number): string {
  return Number.isInteger(value) || !Number.isFinite(value) ? String(value) : String(Number(value.toPrecision(4)));
}
