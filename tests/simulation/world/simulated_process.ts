import type { Clock } from "../../../runtime/core/clock.ts";
import type { Scheduler } from "./scheduler.ts";

/**
 * A process in virtual time. What it waits for happens only while it runs: nothing after it was killed, and after it was frozen
 * all that came in the meantime at once.
 */
export class SimulatedProcess {
  readonly scheduler: Scheduler;
  readonly name: string;
  readonly host: string;
  readonly clock: Clock;
  /** When it ended, on the scheduler's clock. */
  diedAt = Infinity;
  /** What it sent from then on, and had not arrived when it ended, went with it. */
  lostSince = Infinity;
  #isFrozen = false;
  #missed: (() => void)[] = [];
  readonly #onDeath: (() => void)[] = [];

  /** @param options.clockOffset what its own clock shows at the beginning */
  constructor(scheduler: Scheduler, options: { name: string; host: string; clockOffset?: number }) {
    this.scheduler = scheduler;
    this.name = options.name;
    this.host = options.host;
    const offset = (options.clockOffset ?? 0) - scheduler.now;
    this.clock = {
      now: () => scheduler.now + offset,
      after: (ms, callback) => this.after(ms, callback),
      turn: () => new Promise((resolve) => void this.after(0.2, resolve)),
    };
  }

  get isAlive(): boolean {
    return this.diedAt === Infinity;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** Calls back after `ms` milliseconds, if it runs then. Returns what cancels that. */
  after(ms: number, callback: () => void): () => void {
    if (ms === Infinity) return () => {};
    let isCancelled = false;
    const event = this.scheduler.at(this.scheduler.now + ms, () =>
      this.do(() => {
        if (!isCancelled) callback();
      }));
    return () => {
      isCancelled = true;
      event.callback = undefined;
    };
  }

  /** Something happens to it now: it acts on it when it runs, or never. */
  do(action: () => void): void {
    if (!this.isAlive) return;
    if (this.#isFrozen) this.#missed.push(action);
    else action();
  }

  /** Lets `ms` milliseconds pass. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const action of this.#missed.splice(0)) this.do(action);
  }

  /** Ends it. What it waits for never comes. @param lostMs what it sent in this time before may go with it */
  die(lostMs = 0): void {
    if (!this.isAlive) return;
    this.diedAt = this.scheduler.now;
    this.lostSince = this.diedAt - lostMs;
    this.#missed = [];
    for (const callback of this.#onDeath.splice(0)) callback();
  }

  /** Calls back, whoever's code that is, when it has ended. */
  onDeath(callback: () => void): void {
    if (this.isAlive) this.#onDeath.push(callback);
    else callback();
  }
}
