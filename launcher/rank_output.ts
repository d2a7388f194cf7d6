import type { ConsoleOutput, StreamName } from "./console_output.ts";
import { LineBuffer } from "./line_buffer.ts";

/** Where the output of a rank's stream goes. */
export interface RankOutputOptions {
  /** In front of every line. */
  prefix: string;
  /** Default: no console, the log file alone. */
  console?: ConsoleOutput;
  /** A file that gets the bytes as they are. Default: none. */
  logFile?: string;
  /** Whether this stream's unfinished lines are transient text that the terminal shows. Default: false. */
  transient?: boolean;
}

/** How much of a stream's end is kept for the failure report. */
const TAIL_BYTES = 4096;

/** Carries one stream of one rank to the console and its log file. */
export class RankOutput {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** Resolves when the stream has ended and all of it is handed on. */
  readonly done: Promise<void>;
  #tail: Uint8Array = new Uint8Array();

  constructor(name: StreamName, source: ReadableStream<Uint8Array>, options: RankOutputOptions) {
    this.#reader = source.getReader();
    this.done = this.#pump(name, options);
  }

  /** The last lines of the stream. */
  get tail(): string {
    return new TextDecoder().decode(this.#tail).trimEnd().split("\n").slice(-10).join("\n");
  }

  /** Stops reading: something that outlived its rank holds the stream open. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
    await this.done;
  }

  async #pump(name: StreamName, { prefix, console, logFile, transient = false }: RankOutputOptions): Promise<void> {
    using file = logFile === undefined
      ? undefined
      : Deno.openSync(logFile, { write: true, create: true, truncate: true });
    const buffer = new LineBuffer();
    let drawn = false;
    for (let chunk; !(chunk = await this.#reader.read()).done;) {
      const bytes = chunk.value;
      for (let at = 0; file && at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      this.#remember(bytes);
      if (!console) continue;
      const lines = buffer.push(bytes);
      // The old text goes first: it was written before these lines and would be drawn below them for an instant.
      if (drawn && lines.lines.length > 0 && !lines.transient) await console.transient(undefined);
      await console.lines(name, lines.lines, prefix);
      if (transient && (lines.transient || drawn)) {
        await console.transient(lines.transient);
        drawn = lines.transient !== undefined;
      }
    }
    if (drawn) await console?.transient(undefined);
    const last = buffer.end();
    if (last && console) await console.lines(name, [last], prefix);
  }

  #remember(bytes: Uint8Array): void {
    const whole = new Uint8Array(this.#tail.length + bytes.length);
    whole.set(this.#tail);
    whole.set(bytes, this.#tail.length);
    this.#tail = whole.slice(-TAIL_BYTES);
  }
}
