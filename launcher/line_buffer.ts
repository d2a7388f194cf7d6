/** A line that grows beyond this is handed out in pieces: a rank that prints no newline must not fill the launcher's memory. */
const LONGEST_LINE = 1 << 20;
const NEWLINE = 10, RETURN = 13;

/** What {@linkcode LineBuffer.push} hands out. */
export interface Lines {
  /** Complete lines, without their newline. */
  readonly lines: Uint8Array[];
  /** The unfinished line if it began with a carriage return: text that stands only until the next. `undefined`: there is none. */
  readonly transient: Uint8Array | undefined;
}

/**
 * Splits a stream of bytes into lines. Bytes are never decoded, so a character that is cut between two chunks stays whole. Of a line
 * that was overwritten by carriage returns, what a terminal would show at the end remains: the text after the last one.
 */
export class LineBuffer {
  #pending: Uint8Array[] = [];
  #size = 0;

  /** Takes a chunk and hands out the lines that it completes. */
  push(chunk: Uint8Array): Lines {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#append(chunk.subarray(start, end));
      lines.push(shown(this.#take()));
      start = end + 1;
    }
    this.#append(chunk.subarray(start));
    let rest = this.#take();
    const last = rest.lastIndexOf(RETURN);
    // A trailing return may be half of a Windows line end: it stays until more is known.
    const transient = last === -1 ? undefined : shown(rest);
    if (last > 0) {
      rest = rest.subarray(last === rest.length - 1 ? Math.max(0, rest.lastIndexOf(RETURN, last - 1)) : last);
    }
    if (rest.length >= LONGEST_LINE) lines.push(shown(rest));
    else this.#append(rest.slice());
    return { lines, transient: transient && transient.length > 0 ? transient : undefined };
  }

  /** What is left when the stream has ended: an unterminated last line, or undefined. */
  end(): Uint8Array | undefined {
    const rest = shown(this.#take());
    return rest.length > 0 ? rest : undefined;
  }

  #append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pending.push(bytes);
    this.#size += bytes.length;
  }

  #take(): Uint8Array {
    const whole = this.#pending.length === 1 ? this.#pending[0] : new Uint8Array(this.#size);
    if (this.#pending.length > 1) {
      let at = 0;
      for (const piece of this.#pending) {
        whole.set(piece, at);
        at += piece.length;
      }
    }
    this.#pending = [];
    this.#size = 0;
    return whole;
  }
}

/** What a terminal shows of a line: the text after the last carriage return that is not its end, without the code that erases to the end of the line. */
function shown(line: Uint8Array): Uint8Array {
  let end = line.length;
  while (end > 0 && line[end - 1] === RETURN) end--;
  let start = line.lastIndexOf(RETURN, end - 1) + 1;
  // ESC [ K and ESC [ 2 K
  if (line[start] === 27 && line[start + 1] === 91) {
    if (line[start + 2] === 75) start += 3;
    else if (line[start + 2] === 50 && line[start + 3] === 75) start += 4;
  }
  return line.subarray(Math.min(start, end), end);
}
