import { type Clock, sleep, systemClock } from "../runtime/core/clock.ts";

/** The signals that the launcher gets, from its start on: one that comes while no ranks run yet, or none at the moment, is not lost. */
export class SignalLog {
  readonly #early: string[] = [];
  readonly #ending = new AbortController();
  readonly #clock: Clock;
  #first: string | undefined;
  #count = 0;
  #forward: (signal: string) => void = (signal) => void this.#early.push(signal);

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Notes one. */
  take(signal: string): void {
    this.#count++;
    this.#first ??= signal;
    this.#forward(signal);
    this.#ending.abort();
  }

  /** Aborted by the first. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  get first(): string | undefined {
    return this.#first;
  }

  /** How many came so far. */
  get count(): number {
    return this.#count;
  }

  /** Calls back for each, those included that nobody was called back for, until it is disposed of. */
  forward(listener: (signal: string) => void): Disposable {
    const keep = this.#forward;
    this.#forward = listener;
    for (const signal of this.#early.splice(0)) listener(signal);
    return { [Symbol.dispose]: () => void (this.#forward = keep) };
  }

  /** Waits, but not beyond a signal that nobody was called back for, which it returns. */
  async sleep(ms: number): Promise<string | undefined> {
    if (this.#early.length === 0) await sleep(ms, { clock: this.#clock, signal: this.#ending.signal });
    return this.#early[0];
  }
}
