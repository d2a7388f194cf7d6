import type { ConsoleOutput } from "./console_output.ts";
import type { RankExit } from "./decide.ts";
import { RankOutput } from "./rank_output.ts";
import type { RankPage } from "./rank_page.ts";
import type { StartedRank } from "./start_rank.ts";

/** What every rank of a run is started with. */
export interface RankProcessOptions {
  script: URL;
  args: readonly string[];
  /** Flags of Deno, beginning with `run`. */
  denoFlags: readonly string[];
  /** In addition to what the launcher has. */
  environment: Record<string, string>;
  /** In front of every line. Default: none, and the rank has the launcher's own streams. */
  prefix?: string;
  console: ConsoleOutput;
  /** Where the log files go. Default: there are none. */
  logDir?: string;
  /** Whether the output is shown on the console. */
  show: boolean;
}

const PRELOAD = new URL("./rank_preload.ts", import.meta.url).href;

/** One rank: a process of its own, at the head of its own process group, and what it prints. */
export class Rank implements StartedRank {
  readonly #process: Deno.ChildProcess;
  readonly #outputs: RankOutput[] = [];
  readonly #errors?: RankOutput;
  #exit: RankExit | undefined;
  /** Resolves when the process has ended, whatever became of its output. */
  readonly exited: Promise<void>;

  constructor(readonly rank: number, readonly page: RankPage, options: RankProcessOptions) {
    const { script, args, denoFlags, environment, prefix = "", console, logDir, show } = options;
    const piped = prefix !== "" || logDir !== undefined;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [...denoFlags, "--preload", PRELOAD, script.href, ...args],
      env: environment,
      // A process of another group that reads the terminal is stopped by the kernel.
      stdin: rank === 0 && !Deno.stdin.isTerminal() ? "inherit" : "null",
      stdout: piped ? "piped" : "inherit",
      stderr: piped ? "piped" : "inherit",
      detached: true,
    }).spawn();
    this.exited = this.#process.status.then(({ code, signal }) => {
      this.#exit = { code, signal: signal ?? undefined, atMs: performance.now() };
    });
    if (!piped) return;
    const common = { prefix, console: show ? console : undefined };
    const logFile = (stream: string) => logDir === undefined ? undefined : `${logDir}/rank_${rank}.${stream}.log`;
    this.#outputs.push(
      new RankOutput("stdout", this.#process.stdout, { ...common, logFile: logFile("stdout") }),
      new RankOutput("stderr", this.#process.stderr, {
        ...common,
        logFile: logFile("stderr"),
        transient: rank === 0,
      }),
    );
    this.#errors = this.#outputs[1];
  }

  /** The process's id, and that of its group. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Absent while it runs. */
  get exit(): RankExit | undefined {
    return this.#exit;
  }

  /** The last lines on standard error, if they passed through here. */
  get errorTail(): string {
    return this.#errors?.tail ?? "";
  }

  /** Resolves when all output is handed on; what something outside the group still holds open after `ms` is cut off. */
  async drained(ms: number): Promise<void> {
    let timer;
    const timeout = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), ms));
    const done = Promise.all(this.#outputs.map((output) => output.done)).then(() => "done" as const);
    const first = await Promise.race([done, timeout]);
    clearTimeout(timer);
    if (first === "late") { for (const output of this.#outputs) void output.cancel(); }
  }
}
