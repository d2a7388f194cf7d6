import { type Clock, systemClock } from "../runtime/core/clock.ts";
import { CommTimeoutError } from "../runtime/core/errors.ts";

/** @throws CommTimeoutError if a request to the run's store is not answered in time */
export async function within<T>(request: Promise<T>, timeoutMs: number, clock: Clock = systemClock): Promise<T> {
  let cancelTimer = () => {};
  const timeout = new Promise<never>((_, reject) => {
    const error = new CommTimeoutError("the run's store does not answer", { operation: "store", timeoutMs });
    cancelTimer = clock.after(timeoutMs, () => reject(error));
  });
  // It may still fail when nobody waits for it any more.
  request.catch(() => {});
  try {
    return await Promise.race([request, timeout]);
  } finally {
    cancelTimer();
  }
}
