import { join } from "node:path";
import { atCaller } from "../core/at_caller.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { CsvFile, type CsvRow } from "./csv_file.ts";
import { stringifyYaml } from "./deps.ts";
import { plainParams, type PlainValue } from "./hyperparams.ts";
import type { Logger } from "./logger.ts";
import { checkStep, namedMetrics } from "./metrics.ts";
import { RunFolder } from "./run_folder.ts";
import { WriteBehind } from "./write_behind.ts";

/** Options of {@linkcode CSVLogger}. */
export interface CSVLoggerOptions {
  /** The experiment, a folder below the root. Default: "lightning_logs". "" for none. */
  name?: string;
  /** The run: a number N is `version_N`, a string is taken as it is. Default: one more than the highest there is. */
  version?: number | string;
  /** Put before every metric's name, followed by `-`. Default: "". */
  prefix?: string;
  /** Rows after which they are written by themselves; rows that come a second apart are written at once. Default: 100. */
  flushLogsEveryNSteps?: number;
}

type Entry = { row: CsvRow } | { params: Record<string, PlainValue> };

/**
 * Logs to `rootDir/name/version_N/metrics.csv`, one row a call, columns in alphabetical order with `step` among them, and
 * hyperparameters to `hparams.yaml` beside it. Files are appended to, never deleted.
 *
 * Nothing touches the disk until something is logged, and no call waits for the disk. What could not be written is kept, and
 * `save()` and `finalize()` reject until it is. What is unwritten when the process ends by itself or by `Deno.exit` is written then.
 *
 * @example
 * ```ts
 * const folder = await Deno.makeTempDir();
 * const logger = new CSVLogger(folder, { name: "MNIST" });
 * logger.logMetrics({ train_loss: 0.5 }, 0);
 * logger.logMetrics({ train_loss: 0.25, val_acc: 0.9 }, 1);
 * await logger.finalize("success");
 * console.log(await Deno.readTextFile(`${folder}/MNIST/version_0/metrics.csv`));
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class CSVLogger implements Logger {
  readonly name: string;
  readonly #prefix: string;
  readonly #folder: RunFolder;
  readonly #entries: WriteBehind<Entry>;
  #file: CsvFile | undefined;
  #params: Record<string, PlainValue> = {};
  #rows = 0;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(rootDir: string, options: CSVLoggerOptions = {}) {
    rejectUnknownOptions("CSVLogger", options, ["name", "version", "prefix", "flushLogsEveryNSteps"]);
    const flushEvery = options.flushLogsEveryNSteps ?? 100;
    if (!Number.isSafeInteger(flushEvery) || flushEvery < 1) {
      throw new RangeError(`\`CSVLogger\` takes a \`flushLogsEveryNSteps\` from 1 up, but got ${flushEvery}`);
    }
    this.name = options.name ?? "lightning_logs";
    this.#prefix = options.prefix ?? "";
    try {
      this.#folder = new RunFolder(rootDir, {
        name: this.name,
        version: options.version,
        whenNotEmpty: "New rows are appended to its metrics.csv.",
      });
    } catch (error) {
      throw atCaller(error, CSVLogger);
    }
    this.#entries = new WriteBehind({
      flushEvery,
      write: async (entries) => {
        const { rows, yaml } = this.#prepare(entries);
        if (yaml !== undefined) await Deno.writeTextFile(join(this.logDir, "hparams.yaml"), yaml);
        if (rows.length > 0) await this.#file!.append(rows);
      },
      writeNow: (entries) => {
        const { rows, yaml } = this.#prepare(entries);
        if (yaml !== undefined) Deno.writeTextFileSync(join(this.logDir, "hparams.yaml"), yaml);
        if (rows.length > 0) this.#file!.appendNow(rows);
      },
    });
  }

  get version(): string {
    return this.#folder.version;
  }

  get logDir(): string {
    return this.#folder.path;
  }

  /** Notes one row. Without a step it gets the number of the row. */
  logMetrics(metrics: Readonly<Record<string, number>>, step?: number): void {
    checkStep(step);
    const row = namedMetrics(metrics, this.#prefix);
    if (step !== undefined) row.step = step;
    else row.step ??= this.#rows;
    this.#rows++;
    this.#entries.add({ row });
  }

  /** Notes hyperparameters; later ones replace earlier ones of the same name. */
  logHyperparams(params: Readonly<Record<string, unknown>>): void {
    this.#entries.add({ params: plainParams(params) });
  }

  save(): Promise<void> {
    return this.#tell(this.#entries.flush());
  }

  finalize(_status: "success" | "failed" | "interrupted"): Promise<void> {
    return this.#tell(this.#entries.close());
  }

  #prepare(entries: readonly Entry[]): { rows: CsvRow[]; yaml: string | undefined } {
    this.#folder.claim();
    this.#file ??= new CsvFile(join(this.logDir, "metrics.csv"));
    const rows: CsvRow[] = [];
    let hasParams = false;
    for (const entry of entries) {
      if ("row" in entry) rows.push(entry.row);
      else {
        Object.assign(this.#params, entry.params);
        hasParams = true;
      }
    }
    return { rows, yaml: hasParams ? stringifyYaml(this.#params) : undefined };
  }

  async #tell(written: Promise<void>): Promise<void> {
    try {
      await written;
    } catch (cause) {
      throw new Error(
        `Could not write the logs to ${this.logDir} (${
          (cause as Error).message
        }). The rows are kept and tried again with the ` +
          `next save: free space there or give this process the right to write`,
        { cause },
      );
    }
  }
}
