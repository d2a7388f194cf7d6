import { fileURLToPath } from "node:url";

/** The launcher as a file. */
export const LAUNCHER = new URL("../../launcher/main.ts", import.meta.url);

/** Path of a script for ranks, in scripts/. */
export function script(name: string): string {
  return fileURLToPath(new URL(`./scripts/${name}.ts`, import.meta.url));
}

/** Options of {@linkcode startLauncher}. */
export interface StartLauncherOptions {
  /** Environment variables. */
  env?: Record<string, string>;
  cwd?: string;
  /** The launcher itself. Default: the file of this repo. */
  launcher?: string;
  /** Whether it runs in a terminal of its own, by util-linux's `script`; what it prints is then all in `stdout`. Default: false. */
  terminal?: boolean;
  /** Flags of the launcher's Deno. Default: `-A`. */
  flags?: string[];
  /** What the command line begins with, for a launcher that runs somewhere else. Default: nothing. */
  prefix?: string[];
}

/** A launcher that runs, and what it has printed so far. */
export class RunningLauncher implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input?: WritableStreamDefaultWriter<Uint8Array>;
  readonly #pumps: Promise<void>[];
  readonly status: Promise<Deno.CommandStatus>;
  stdout = "";
  stderr = "";
  #changed = Promise.withResolvers<void>();
  #ended = false;

  constructor(args: string[], options: StartLauncherOptions) {
    const { env = {}, cwd, launcher = LAUNCHER.href, flags = ["-A"], terminal = false, prefix = [] } = options;
    const command = [...prefix, Deno.execPath(), "run", ...flags, launcher, ...args];
    const [program, ...rest] = !terminal
      ? command
      : ["script", "-qec", command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" "), "/dev/null"];
    this.#process = new Deno.Command(program, {
      args: rest,
      env: { NO_COLOR: "1", ...env },
      cwd,
      stdin: terminal ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = terminal ? this.#process.stdin.getWriter() : undefined;
    this.status = this.#process.status;
    this.#pumps = [this.#pump("stdout"), this.#pump("stderr")];
    void Promise.all(this.#pumps).then(() => {
      this.#ended = true;
      this.#changed.resolve();
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Types on the keyboard of its terminal. */
  async type(text: string): Promise<void> {
    await this.#input!.write(new TextEncoder().encode(text));
  }

  /** Waits until one of its streams holds a match, and returns that. */
  async until(pattern: RegExp): Promise<RegExpMatchArray> {
    while (true) {
      const match = this.stdout.match(pattern) ?? this.stderr.match(pattern);
      if (match) return match;
      if (this.#ended) throw new Error(`it ended without ${pattern}:\n${this.stdout}\n${this.stderr}`);
      await this.#changed.promise;
    }
  }

  /** Waits for its end. */
  async end(): Promise<{ code: number; stdout: string; stderr: string }> {
    const { code } = await this.status;
    await this.#input?.close().catch(() => {});
    await Promise.all(this.#pumps);
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  /** A test that failed leaves no launcher. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended, as it should.
    }
    await this.end();
  }

  async #pump(name: "stdout" | "stderr"): Promise<void> {
    for await (const text of this.#process[name].pipeThrough(new TextDecoderStream())) {
      this[name] += text;
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }
}

export function startLauncher(args: string[], options: StartLauncherOptions = {}): RunningLauncher {
  return new RunningLauncher(args, options);
}

/** Runs the launcher to its end. */
export async function runLauncher(args: string[], options: StartLauncherOptions = {}) {
  await using launcher = startLauncher(args, options);
  return await launcher.end();
}
