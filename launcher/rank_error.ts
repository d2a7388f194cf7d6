import { activity } from "../runtime/core/activity.ts";
import { type ActivityPage, pageText } from "../runtime/core/activity_page.ts";
import { shortStack } from "../runtime/core/user_place.ts";

/** What a rank threw, as it writes it down for the launcher. */
export interface RankError {
  readonly rank: number;
  /** The error's class, e.g. `TypeError`. */
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** Milliseconds since 1970, by a clock that somebody may have set in the meantime. */
  readonly time: number;
  /** Milliseconds of a clock that all ranks of a host share and nobody can set; absent where there is none. */
  readonly sharedTime?: number;
  /** The training step it was at. */
  readonly step?: number;
  /** The operation it was in. */
  readonly operation?: string;
}

/** Options of {@linkcode writeRankError}. */
export interface WriteRankErrorOptions {
  /** The global rank that writes. */
  rank: number;
  /** When, on the clock that ranks of a host share. Default: not told. */
  sharedTime?: number;
}

/** What fits into a page, in characters of JSON that may take two bytes each. */
const LONGEST_STACK = 12_000, LONGEST_MESSAGE = 4_000, LONGEST_NAME = 200;
/** The last moment that a Date knows. */
const LAST_TIME = 8.64e15;

/**
 * Writes what was thrown into the rank's page (`Settings.pageFile`), replacing what is there, with what the rank was doing. Never throws: the error itself
 * matters more. The place is there already, so that a full disk does not matter.
 */
export function writeRankError(file: string, error: unknown, options: WriteRankErrorOptions): void {
  const record = rankErrorOf(error, { ...options, time: Date.now(), activity: activity() });
  try {
    const { at, bytes } = pageText("error", JSON.stringify(record));
    using page = Deno.openSync(file, { write: true });
    page.seekSync(at, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) done += page.writeSync(bytes.subarray(done));
  } catch {
    // The launcher still has the exit code and what the rank printed.
  }
}

/** What was thrown, with what the rank was doing, cut to what fits into a page. */
export function rankErrorOf(
  error: unknown,
  facts: WriteRankErrorOptions & { time: number; activity: ActivityPage },
): RankError {
  const { step, operation } = facts.activity.read();
  const isError = error instanceof Error;
  return {
    rank: facts.rank,
    name: isError ? String(error.name).slice(0, LONGEST_NAME) : "",
    message: (isError ? String(error.message) : inspect(error)).slice(0, LONGEST_MESSAGE),
    stack: (isError ? withCauses(error) : inspect(error)).slice(0, LONGEST_STACK),
    time: facts.time,
    sharedTime: facts.sharedTime,
    step,
    operation,
  };
}

/** Reads what a rank wrote: undefined if it is nothing, or not whole. What it holds can be printed, whatever was written. */
export function parseRankError(text: string | undefined): RankError | undefined {
  if (text === undefined) return undefined;
  try {
    return readRankError(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The same of a record that somebody else read. */
export function readRankError(record: unknown): RankError | undefined {
  const { rank, name, message, stack, time, sharedTime, step, operation } = (record ?? {}) as Record<string, unknown>;
  const isWhole = Number.isSafeInteger(rank) && typeof time === "number" && Math.abs(time) <= LAST_TIME &&
    [name, message, stack].every((text) => typeof text === "string");
  if (!isWhole) return undefined;
  return {
    rank: rank as number,
    name: (name as string).slice(0, LONGEST_NAME),
    message: (message as string).slice(0, LONGEST_MESSAGE),
    stack: (stack as string).slice(0, LONGEST_STACK),
    time,
    ...(typeof sharedTime === "number" && { sharedTime }),
    ...(typeof step === "number" && { step }),
    ...(typeof operation === "string" && { operation: operation.slice(0, LONGEST_NAME) }),
  };
}

function withCauses(error: Error): string {
  const seen = new Set<unknown>();
  let text = "";
  for (let at: unknown = error; at !== undefined && !seen.has(at); at = at instanceof Error ? at.cause : undefined) {
    text += `${text ? "\nCaused by: " : ""}${
      at instanceof Error ? shortStack(at.stack ?? `${at.name}: ${at.message}`) : inspect(at)
    }`;
    seen.add(at);
  }
  return text;
}

function inspect(value: unknown): string {
  return typeof value === "string" ? value : Deno.inspect(value);
}
