/** Which of the launcher's two streams. */
export type StreamName = "stdout" | "stderr";

/** Options of {@linkcode ConsoleOutput}. */
export interface ConsoleOutputOptions {
  /** Whether standard error is a terminal, where transient text can be drawn and erased. */
  terminal: boolean;
  /** Writes all of the bytes. Default: to the process's own streams. */
  write?: (stream: StreamName, bytes: Uint8Array) => Promise<void>;
}

const ERASE = new TextEncoder().encode("\r\x1b[K");
const NEWLINE = new TextEncoder().encode("\n");

/**
 * Writes lines of many ranks one after the other, and keeps one transient text (a progress bar) below them: it is erased before
 * a line is written and drawn again afterwards. Writing waits for whoever reads, without holding up the event loop.
 */
export class ConsoleOutput {
  readonly #terminal: boolean;
  readonly #write: (stream: StreamName, bytes: Uint8Array) => Promise<void>;
  #turn: Promise<void> = Promise.resolve();
  #transient: Uint8Array | undefined;
  #drawn = false;

  constructor(options: ConsoleOutputOptions) {
    this.#terminal = options.terminal;
    this.#write = options.write ?? writeToProcess;
  }

  /** Writes whole lines, each with the prefix in front. Resolves when they are written. */
  lines(stream: StreamName, lines: readonly Uint8Array[], prefix = ""): Promise<void> {
    if (lines.length === 0) return this.#turn;
    const head = new TextEncoder().encode(prefix);
    const bytes = concatenate(lines.flatMap((line) => [head, line, NEWLINE]));
    return this.#queue(async () => {
      await this.#erase();
      await this.#write(stream, bytes);
      await this.#draw();
    });
  }

  /** Says one or more lines of the launcher's own on standard error. */
  say(text: string): Promise<void> {
    return this.lines("stderr", text.split("\n").map((line) => new TextEncoder().encode(line)));
  }

  /** Replaces the transient text; undefined removes it. Without a terminal nothing is ever drawn. */
  transient(text: Uint8Array | undefined): Promise<void> {
    return this.#queue(async () => {
      if (text === undefined && this.#transient === undefined) return;
      await this.#erase();
      this.#transient = text;
      await this.#draw();
    });
  }

  /** Resolves when everything so far is written. */
  flush(): Promise<void> {
    return this.#turn;
  }

  #queue(work: () => Promise<void>): Promise<void> {
    // Nobody reads any more (`launcher | head`): what cannot be written is dropped, the run goes on.
    this.#turn = this.#turn.then(work).catch(() => {});
    return this.#turn;
  }

  async #erase(): Promise<void> {
    if (!this.#drawn) return;
    await this.#write("stderr", ERASE);
    this.#drawn = false;
  }

  async #draw(): Promise<void> {
    if (!this.#terminal || this.#transient === undefined) return;
    await this.#write("stderr", concatenate([ERASE, this.#transient]));
    this.#drawn = true;
  }
}

async function writeToProcess(stream: StreamName, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno[stream].write(bytes.subarray(at));
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
