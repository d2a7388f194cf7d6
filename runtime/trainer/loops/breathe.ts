import { setImmediate } from "node:timers/promises";

/** How long the loops run before they let others in, in milliseconds. */
const INTERVAL_MS = 25;

let last = performance.now();

/**
 * Lets signals, timers and file writes in, now and then. Where computing is synchronous every `await` of a loop is answered at once, so
 * that without this nothing else would run until the end.
 */
export function breathe(): Promise<void> | undefined {
  if (performance.now() - last < INTERVAL_MS) return undefined;
  return setImmediate().then(() => void (last = performance.now()));
}
