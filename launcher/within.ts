import { type Clock, systemClock } from "../runtime/core/clock.ts";
import { CommTimeoutError } from "../runtime/core/errors.ts";

/** The time is waited for in so many pieces. A process that is kept from running misses the end of one, and looks what has arrived before the next is over. */
const PIECES = 8;

/** @throws CommTimeoutError if a request to the run's store is not answered in time; time in which this process does not run is not held against it */
export async function within<T>(request: Promise<T>, timeoutMs: number, clock: Clock = systemClock): Promise<T> {
  let cancelTimer = () => {};
  const timeout = new Promise<never>((_, reject) => {
    const error = new CommTimeoutError("the run's store does not answer", { operation: "store", timeoutMs });
    const waitForPieces = (count: number) => {
      cancelTimer = clock.after(timeoutMs / PIECES, () => count > 1 ? waitForPieces(count - 1) : reject(error));
    };
    waitForPieces(PIECES);
  });
  // It may still fail when nobody waits for it any more.
  request.catch(() => {});
  try {
    return await Promise.race([request, timeout]);
  } finally {
    cancelTimer();
  }
}

/** What a request comes to, or undefined as soon as `signal` is aborted. At a signal that lives on it leaves nothing, however often it is called. */
export async function unlessAborted<T>(request: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const aborted = Promise.withResolvers<undefined>(), abort = () => aborted.resolve(undefined);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([request, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
