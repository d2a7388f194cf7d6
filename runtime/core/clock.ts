import { setImmediate } from "node:timers";

/** A timer that is set for longer fires at once, so that none is: 24.8 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The time that whoever waits goes by. Real programs take {@linkcode systemClock}; `tests/simulation` passes a clock of its own, so that
 * days of waiting pass in a moment and the same seed gives the same run.
 */
export interface Clock {
  /** Milliseconds since some moment. Never goes back, whoever sets the machine's clock. */
  now(): number;
  /**
   * Calls back once, not before `ms` milliseconds have passed. The process stays alive until then.
   * @param ms more than 2^31 - 1 count as that many
   * @returns what cancels it; calling that later does nothing
   */
  after(ms: number, callback: () => void): () => void;
  /** Resolves when everything else that is ready to run has had its turn. */
  turn(): Promise<void>;
}

/** The clock of this process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
  turn: () => new Promise((resolve) => void setImmediate(resolve)),
};

/** Resolves after `ms` milliseconds, or sooner if `signal` is aborted. */
export function sleep(ms: number, options: { clock?: Clock; signal?: AbortSignal } = {}): Promise<void> {
  const { clock = systemClock, signal } = options;
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const cancel = clock.after(ms, done);
    signal?.addEventListener("abort", done, { once: true });
    function done() {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}
