/** What the engine keeps of a stack if nobody says otherwise. */
const DEFAULT_LIMIT = 10;
/** A tensor op within a layer, within a step, within a loop is about 30 calls. */
const DEEP_LIMIT = 60;

/**
 * From now on errors tell more of the calls that led to them. Of the usual ten, an op that fails has used up all before its stack reaches
 * the user's line. A limit that somebody has set (`--v8-flags=--stack-trace-limit=…`, `Error.stackTraceLimit`) stays.
 */
export function keepDeepStacks(): void {
  if (Error.stackTraceLimit === DEFAULT_LIMIT) Error.stackTraceLimit = DEEP_LIMIT;
}
