/** How large a page is: room for the names of operations, what the launcher tells the rank, and what the rank threw. */
export const ACTIVITY_BYTES = 65_536;

/** What a rank is doing. */
export interface Activity {
  /** The training step: how many were done before. */
  readonly step?: number;
  /** What it is in, e.g. `trainingStep`. */
  readonly operation?: string;
  /** The collective that it is in. */
  readonly collective?: {
    readonly kind: string;
    /** Counts the group's collectives. */
    readonly sequence: number;
    /** The rank whose data it needs next, if it is a particular one. */
    readonly waitsFor?: number;
    /** How far it is: the number of the message that it needs. Of two ranks in the same collective, the one with the smaller number is behind. */
    readonly round?: number;
  };
  /** Whether it is connected with the other ranks. */
  readonly joined: boolean;
  /** Changes whenever a collective gets on. */
  readonly progress: number;
}

const STEP = 0, SEQUENCE = 1, PROGRESS = 2, ROUND = 3; // of 8 bytes each
const OPERATION = 8, COLLECTIVE = 9, WAITS_FOR = 10, JOINED = 11, NAMES = 12; // of 4 bytes each
const NAMES_AT = 256, NAME_BYTES = 64, MOST_NAMES = 120;
const NOTICE_AT = 8_192, ERROR_AT = 16_384;

/**
 * What a rank is doing, in memory that its launcher can read at any time, even after the rank was killed. To note something costs a
 * few stores, no call. A name is written once and then known by its number.
 */
export class ActivityPage {
  readonly #bytes: Uint8Array;
  readonly #doubles: Float64Array;
  readonly #integers: Int32Array;
  readonly #numbers = new Map<string, number>();
  #isCounted = false;

  /** @param buffer of {@linkcode ACTIVITY_BYTES}, zeros at first */
  constructor(buffer: ArrayBufferLike = new ArrayBuffer(ACTIVITY_BYTES)) {
    this.#bytes = new Uint8Array(buffer);
    this.#doubles = new Float64Array(buffer, 0, 4);
    this.#integers = new Int32Array(buffer, 0, NAMES_AT / 4);
  }

  /** Notes how many training steps are done. */
  setStep(step: number): void {
    this.#isCounted = true;
    this.#doubles[STEP] = step + 1;
  }

  /** The same by somebody who only counts what optimizers do: nothing once {@linkcode setStep} was called. */
  countStep(step: number): void {
    if (!this.#isCounted) this.#doubles[STEP] = step + 1;
  }

  /** Notes an operation. Returns what to give {@linkcode restore} when it is over; after a throw it stays, to tell where that was. */
  enter(operation: string): number {
    const before = this.#integers[OPERATION];
    this.#integers[OPERATION] = this.#number(operation);
    return before;
  }

  /** Notes that the operation that `enter` gave this for goes on. */
  restore(before: number): void {
    this.#integers[OPERATION] = before;
  }

  beginCollective(kind: string, sequence: number): void {
    this.#doubles[SEQUENCE] = sequence;
    this.#doubles[PROGRESS]++;
    this.#integers[WAITS_FOR] = 0;
    this.#integers[COLLECTIVE] = this.#number(kind);
  }

  /** @param rank -1 for any. @param round how far the collective is. Default: 0 */
  waitFor(rank: number, round = 0): void {
    this.#doubles[PROGRESS]++;
    this.#doubles[ROUND] = round;
    this.#integers[WAITS_FOR] = rank + 1;
  }

  endCollective(): void {
    this.#integers[COLLECTIVE] = 0;
  }

  set joined(joined: boolean) {
    this.#integers[JOINED] = joined ? 1 : 0;
  }

  /** What the rank is doing. */
  read(): Activity {
    const integers = this.#integers, doubles = this.#doubles;
    const kind = this.#name(integers[COLLECTIVE]);
    return {
      step: doubles[STEP] > 0 ? doubles[STEP] - 1 : undefined,
      operation: this.#name(integers[OPERATION]),
      collective: kind === undefined ? undefined : {
        kind,
        sequence: doubles[SEQUENCE],
        waitsFor: integers[WAITS_FOR] > 0 ? integers[WAITS_FOR] - 1 : undefined,
        round: integers[WAITS_FOR] > 0 ? doubles[ROUND] : undefined,
      },
      joined: integers[JOINED] === 1,
      progress: doubles[PROGRESS],
    };
  }

  /** What the launcher has told this rank, as JSON. */
  get notice(): string | undefined {
    return this.#text(NOTICE_AT, ERROR_AT);
  }

  /** What the rank threw, as JSON. */
  get error(): string | undefined {
    return this.#text(ERROR_AT, ACTIVITY_BYTES);
  }

  #text(at: number, end: number): string | undefined {
    const length = new DataView(this.#bytes.buffer).getUint32(at, true);
    if (length === 0 || length > end - at - 4) return undefined;
    // A copy: a decoder takes no bytes that others may write to.
    return new TextDecoder().decode(this.#bytes.slice(at + 4, at + 4 + length));
  }

  #number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#integers[NAMES] + 1;
    if (number > MOST_NAMES) return 0;
    const at = NAMES_AT + (number - 1) * NAME_BYTES;
    const text = new TextEncoder().encode(name).subarray(0, NAME_BYTES - 1);
    this.#bytes[at] = text.length;
    this.#bytes.set(text, at + 1);
    this.#integers[NAMES] = number;
    this.#numbers.set(name, number);
    return number;
  }

  #name(number: number): string | undefined {
    if (number < 1 || number > MOST_NAMES) return undefined;
    const at = NAMES_AT + (number - 1) * NAME_BYTES;
    return new TextDecoder().decode(this.#bytes.slice(at + 1, at + 1 + Math.min(this.#bytes[at], NAME_BYTES - 1)));
  }
}

/** Where in a page a text lies, and its bytes: what to write into the file of a page of another process. */
export function pageText(what: "notice" | "error", text: string): { at: number; bytes: Uint8Array<ArrayBuffer> } {
  const [at, end] = what === "notice" ? [NOTICE_AT, ERROR_AT] : [ERROR_AT, ACTIVITY_BYTES];
  const content = new TextEncoder().encode(text);
  if (content.length > end - at - 4) throw new RangeError(`a ${what} has at most ${end - at - 4} bytes`);
  const bytes = new Uint8Array(4 + content.length);
  new DataView(bytes.buffer).setUint32(0, content.length, true);
  bytes.set(content, 4);
  return { at, bytes };
}
