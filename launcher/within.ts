import { CommTimeoutError } from "../runtime/core/errors.ts";

/** @throws CommTimeoutError if a request to the run's store is not answered in time */
export async function within<T>(request: Promise<T>, timeoutMs: number): Promise<T> {
  let timer;
  const timeout = new Promise<never>((_, reject) => {
    const error = new CommTimeoutError("the run's store does not answer", { operation: "store", timeoutMs });
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  // It may still fail when nobody waits for it any more.
  request.catch(() => {});
  try {
    return await Promise.race([request, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
