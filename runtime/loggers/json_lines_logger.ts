import { join } from "node:path";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { AppendFile } from "./append_file.ts";
import { plainParams } from "./hyperparams.ts";
import type { Logger } from "./logger.ts";
import { checkStep, namedMetrics } from "./metrics.ts";
import { RunFolder } from "./run_folder.ts";
import { WriteBehind } from "./write_behind.ts";

/** Options of {@linkcode JSONLinesLogger}. */
export interface JSONLinesLoggerOptions {
  /** The experiment, a folder below the root. Default: "lightning_logs". "" for none. */
  name?: string;
  /** The run: a number N is `version_N`, a string is taken as it is. Default: one more than the highest there is. */
  version?: number | string;
  /** Put before every metric's name, followed by `-`. Default: "". */
  prefix?: string;
}

/**
 * Logs to `rootDir/name/version_N/metrics.jsonl`, one JSON object a line: `{ "time", "step", "metrics" }` with the time in seconds
 * since 1970, or `{ "time", "hparams" }`. NaN and the infinities, which JSON has not, are written as strings.
 *
 * No call waits for the disk; what is unwritten when the process ends by itself or by `Deno.exit` is written then.
 *
 * @example
 * ```ts
 * const folder = await Deno.makeTempDir();
 * const logger = new JSONLinesLogger(folder, { name: "MNIST" });
 * logger.logMetrics({ train_loss: 0.5 }, 0);
 * await logger.finalize("success");
 * const line = await Deno.readTextFile(`${folder}/MNIST/version_0/metrics.jsonl`);
 * console.log(JSON.parse(line).metrics.train_loss); // 0.5
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class JSONLinesLogger implements Logger {
  readonly name: string;
  readonly #prefix: string;
  readonly #folder: RunFolder;
  readonly #lines: WriteBehind<string>;
  #file: AppendFile | undefined;
  #rows = 0;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(rootDir: string, options: JSONLinesLoggerOptions = {}) {
    rejectUnknownOptions("JSONLinesLogger", options, ["name", "version", "prefix"]);
    this.name = options.name ?? "lightning_logs";
    this.#prefix = options.prefix ?? "";
    this.#folder = new RunFolder(rootDir, {
      name: this.name,
      version: options.version,
      whenNotEmpty: "New lines are appended to its metrics.jsonl.",
    });
    const encode = (lines: readonly string[]) => new TextEncoder().encode(lines.join(""));
    this.#lines = new WriteBehind({
      write: (lines) => this.#open().append(encode(lines)),
      writeNow: (lines) => this.#open().appendNow(encode(lines)),
    });
  }

  get version(): string {
    return this.#folder.version;
  }

  get logDir(): string {
    return this.#folder.path;
  }

  /** Notes one line. Without a step it gets the number of the call. */
  logMetrics(metrics: Readonly<Record<string, number>>, step?: number): void {
    checkStep(step);
    this.#add({ step: step ?? this.#rows, metrics: namedMetrics(metrics, this.#prefix) });
    this.#rows++;
  }

  logHyperparams(params: Readonly<Record<string, unknown>>): void {
    this.#add({ hparams: plainParams(params) });
  }

  save(): Promise<void> {
    return this.#tell(this.#lines.flush());
  }

  finalize(_status: "success" | "failed" | "interrupted"): Promise<void> {
    return this.#tell(this.#lines.close());
  }

  #add(content: Record<string, unknown>): void {
    const line = JSON.stringify(
      { time: Date.now() / 1000, ...content },
      (_, value) => typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
    );
    this.#lines.add(line + "\n");
  }

  #open(): AppendFile {
    this.#folder.claim();
    return this.#file ??= new AppendFile(join(this.logDir, "metrics.jsonl"));
  }

  async #tell(written: Promise<void>): Promise<void> {
    try {
      await written;
    } catch (cause) {
      throw new Error(
        `Could not write the logs to ${this.logDir} (${
          (cause as Error).message
        }). The lines are kept and tried again with the ` +
          `next save: free space there or give this process the right to write`,
        { cause },
      );
    }
  }
}
