import { rejectUnknownOptions } from "../core/suggest.ts";
import { formatProgress } from "./format.ts";

/** Where a bar is drawn: standard error is one. */
export interface ProgressStream {
  writeSync(bytes: Uint8Array): number;
  isTerminal?(): boolean;
}

/** Options of {@linkcode ProgressBar}. */
export interface ProgressBarOptions {
  /** What the count runs up to. Default: not known, then there is no bar but a count. */
  total?: number;
  /** Text in front of the bar. Default: "". */
  description?: string;
  /**
   * Width of the terminal that shows the output in the end, when this process writes to a launcher that owns it: the bar then is
   * text after a carriage return, which the launcher redraws. Default: none.
   */
  columns?: number;
  /** Where to write. Default: Deno.stderr. */
  stream?: ProgressStream;
  /** Whether the stream is a terminal. Default: asked of the stream. */
  isTerminal?: boolean;
  /** Milliseconds between two redraws in a terminal. Default: 100. */
  refreshMs?: number;
  /** Milliseconds between two lines without a terminal; Infinity leaves the last one alone. Default: 5000. */
  lineMs?: number;
  /** Milliseconds of a clock that does not jump. Default: performance.now. */
  now?: () => number;
}

/** Options of {@linkcode ProgressBar.update}. */
export interface ProgressUpdateOptions {
  /** What to show after the times, by name; replaces what was shown before. */
  postfix?: Readonly<Record<string, number | string>>;
}

/**
 * A line that shows how far a loop is. In a terminal it is redrawn in place, at most ten times a second; elsewhere a plain line is
 * written every few seconds and at the end.
 *
 * @example
 * ```ts
 * using bar = new ProgressBar({ total: 200, description: "Epoch 1" });
 * for (let i = 0; i < 200; i++) bar.update(1, { postfix: { loss: 1 / (i + 1) } });
 * ```
 */
export class ProgressBar implements Disposable {
  readonly #stream: ProgressStream;
  readonly #mode: "terminal" | "launcher" | "lines";
  readonly #launcherColumns: number | undefined;
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #start: number;
  readonly #total: number | undefined;
  #description: string;
  #count = 0;
  #postfix: Readonly<Record<string, number | string>> = {};
  #due: number;
  #isDrawn = false;
  #isClosed = false;

  /** @throws RangeError for a total or a width that is none */
  constructor(options: ProgressBarOptions = {}) {
    rejectUnknownOptions("ProgressBar", options, [
      "total",
      "description",
      "columns",
      "stream",
      "isTerminal",
      "refreshMs",
      "lineMs",
      "now",
    ]);
    const { total, columns } = options;
    if (total !== undefined && !(total >= 0)) {
      throw new RangeError(`\`ProgressBar\` takes a total from 0 up, or none, but got ${total}`);
    }
    if (columns !== undefined && !(columns >= 1)) {
      throw new RangeError(`\`ProgressBar\` takes columns from 1 up, or none, but got ${columns}`);
    }
    this.#stream = options.stream ?? Deno.stderr;
    const isTerminal = options.isTerminal ?? this.#stream.isTerminal?.() ?? false;
    this.#mode = isTerminal ? "terminal" : columns !== undefined ? "launcher" : "lines";
    this.#launcherColumns = columns;
    this.#intervalMs = this.#mode === "lines" ? options.lineMs ?? 5000 : options.refreshMs ?? 100;
    this.#now = options.now ?? (() => performance.now());
    this.#start = this.#now();
    this.#total = total === Infinity ? undefined : total;
    this.#description = options.description ?? "";
    // A bar appears at once; a plain line only after its time, since a short loop needs no more than the last one.
    this.#due = this.#mode === "lines" ? this.#start + this.#intervalMs : this.#start;
  }

  /** True after {@linkcode close}: nothing is drawn any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** True while the bar is on the screen. */
  get isDrawn(): boolean {
    return this.#isDrawn;
  }

  /** How far the loop is. */
  get count(): number {
    return this.#count;
  }

  /** Notes `n` more done, and draws if it is time to. */
  update(n = 1, options?: ProgressUpdateOptions): void {
    this.#count += n;
    if (options?.postfix) this.#postfix = options.postfix;
    this.#drawIfDue();
  }

  /** Sets how far the loop is, for one that resumes. */
  reset(count: number): void {
    this.#count = count;
    this.#drawIfDue();
  }

  /** Replaces what is shown after the times. */
  setPostfix(postfix: Readonly<Record<string, number | string>>): void {
    this.#postfix = postfix;
    this.#drawIfDue();
  }

  /** Replaces the text in front of the bar. */
  setDescription(description: string): void {
    this.#description = description;
    this.#drawIfDue();
  }

  /** Draws now, whether it is time or not. Without a terminal this does nothing. */
  refresh(): void {
    if (this.#mode !== "lines" && !this.#isClosed) this.#draw();
  }

  /** Writes a line that stays, above the bar. */
  print(line: string): void {
    if (!this.#isDrawn) return this.#write(`${line}\n`);
    this.#write(`${this.#mode === "terminal" ? "\r\x1b[K" : "\r"}${line}\n`);
    this.#draw();
  }

  /**
   * Ends the bar; doing it again does nothing.
   * @param options `leave` (default true): the finished bar stays as a line; otherwise nothing of it is left in a terminal
   */
  close({ leave = true }: { leave?: boolean } = {}): void {
    if (this.#isClosed) return;
    if (leave) {
      if (this.#mode === "lines") this.#write(`${this.#line()}\n`);
      else {
        this.#draw();
        this.#write("\n");
      }
    } else if (this.#isDrawn) this.#write(this.#mode === "terminal" ? "\r\x1b[K" : "\r");
    this.#isDrawn = false;
    this.#isClosed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #drawIfDue(): void {
    const now = this.#now();
    if (now < this.#due || this.#isClosed) return;
    if (this.#mode !== "lines") this.#draw();
    // The line of a loop that is done is written once, when the bar is closed.
    else if (this.#count === this.#total) return;
    else this.#write(`${this.#line()}\n`);
    this.#due = now + this.#intervalMs;
  }

  #draw(): void {
    this.#write(this.#mode === "terminal" ? `\r${this.#line()}\x1b[K` : `\r${this.#line()}`);
    this.#isDrawn = true;
  }

  #line(): string {
    return formatProgress({
      description: this.#description,
      count: this.#count,
      total: this.#total,
      elapsedMs: this.#now() - this.#start,
      postfix: this.#postfix,
    }, this.#columns());
  }

  #columns(): number | undefined {
    if (this.#mode === "lines") return undefined;
    if (this.#launcherColumns !== undefined) return this.#launcherColumns;
    try {
      const { columns } = Deno.consoleSize();
      // A terminal that nobody gave a size says 0. A full last column makes some terminals wrap.
      return columns > 0 ? Math.max(1, columns - 1) : 80;
    } catch {
      return 80;
    }
  }

  #write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    try {
      for (let done = 0; done < bytes.length;) done += this.#stream.writeSync(bytes.subarray(done));
    } catch {
      // Progress is for the eye: a closed or full pipe must not end the training.
    }
  }
}
