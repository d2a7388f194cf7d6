/** What a rank threw, as it writes it down for the launcher. */
export interface RankError {
  readonly rank: number;
  /** The error's class, e.g. `TypeError`. */
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** The training step it was at. */
  readonly step?: number;
  /** The operation it was in. */
  readonly operation?: string;
}

/** Options of {@linkcode writeRankError}. */
export interface WriteRankErrorOptions {
  /** The global rank that writes. */
  rank: number;
  /** The training step it was at. Default: not told. */
  step?: number;
  /** The operation it was in, e.g. `backward`. Default: not told. */
  operation?: string;
}

/** Writes what was thrown to the rank's error file (`Settings.errorFile`), replacing what is there. Never throws: the error itself matters more. */
export function writeRankError(file: string, error: unknown, options: WriteRankErrorOptions): void {
  const { rank, step, operation } = options;
  const record: RankError = error instanceof Error
    ? {
      rank,
      name: error.name,
      message: error.message,
      stack: withCauses(error),
      time: Date.now(),
      step,
      operation,
    }
    : { rank, name: "", message: inspect(error), stack: inspect(error), time: Date.now(), step, operation };
  try {
    Deno.writeTextFileSync(file, JSON.stringify(record));
  } catch {
    // The launcher still has the exit code and what the rank printed.
  }
}

/** Reads a rank's error file: undefined if there is none, or it is not whole. */
export async function readRankError(file: string): Promise<RankError | undefined> {
  try {
    const record = JSON.parse(await Deno.readTextFile(file));
    const whole = ["rank", "time"].every((key) => typeof record[key] === "number") &&
      ["name", "message", "stack"].every((key) => typeof record[key] === "string");
    return whole ? record : undefined;
  } catch {
    return undefined;
  }
}

function withCauses(error: Error): string {
  const seen = new Set<unknown>();
  let text = "";
  for (let at: unknown = error; at !== undefined && !seen.has(at); at = at instanceof Error ? at.cause : undefined) {
    text += `${text ? "\nCaused by: " : ""}${
      at instanceof Error ? at.stack ?? `${at.name}: ${at.message}` : inspect(at)
    }`;
    seen.add(at);
  }
  return text;
}

function inspect(value: unknown): string {
  return typeof value === "string" ? value : Deno.inspect(value);
}
