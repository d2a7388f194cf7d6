import { dirname } from "node:path";
import { UNAVAILABLE } from "../runtime/core/exit_codes.ts";
import type { Activity } from "../runtime/core/activity_page.ts";
import type { RankProcess } from "./decide.ts";
import type { Category, FailureCause } from "./outcome.ts";
import type { RankError } from "./rank_error.ts";

/** A generation of a run that failed. */
export interface FailedGeneration {
  readonly generation: number;
  readonly failure: ErrorReport["failure"];
  /** What failed on another host, in words, if no rank of this run did: a host that does not answer. */
  readonly message?: string;
}

/** What `--error-file` holds, as JSON. */
export interface ErrorReport {
  /** Of this form; a field may be added without a new version. */
  readonly version: 1;
  readonly runId: string;
  /** How often the run had been started again. */
  readonly generation: number;
  /** What the launcher exited with, and what that says. */
  readonly exitCode: number;
  readonly category: Category | "usage";
  /** When it was written, ISO 8601. */
  readonly time: string;
  /** The signal that ended the run, if one did. */
  readonly signal?: string;
  /** What failed first, if something did. */
  readonly failure?: {
    readonly rank: number;
    readonly host?: string;
    readonly how: FailureCause["how"];
    readonly exitCode: number;
    readonly signal?: string;
    readonly step?: number;
    readonly operation?: string;
    readonly collective?: Activity["collective"];
    readonly error?: Pick<RankError, "name" | "message" | "stack">;
    /** What else is known of the reason. */
    readonly hint?: string;
  };
  /** The ranks of this host. */
  readonly ranks: readonly {
    readonly rank: number;
    readonly exitCode?: number;
    readonly signal?: string;
    readonly step?: number;
    readonly operation?: string;
    readonly collective?: Activity["collective"];
    readonly error?: Pick<RankError, "name" | "message" | "stack">;
  }[];
  /** Failures before restarts, oldest first. */
  readonly earlier: readonly FailedGeneration[];
  /** Why nothing was started, or what failed on another host. */
  readonly message?: string;
}

/** The report of a launcher that started nothing: because it was called wrongly, or the launchers of other hosts did not come. */
export function startReport(exitCode: number, error: unknown): ErrorReport {
  const category = exitCode === UNAVAILABLE ? "infrastructure" : "usage";
  return {
    ...{ version: 1, runId: "", generation: 0, exitCode, category, time: new Date().toISOString() },
    ...{ ranks: [], earlier: [], message: error instanceof Error ? error.message : String(error) },
  };
}

/** The part about the first failure. */
export function failureOf(cause: FailureCause | undefined, hint?: string): ErrorReport["failure"] {
  if (!cause) return undefined;
  const { rank, host, how, exitCode, signal, error, activity } = cause;
  return {
    ...{ rank, host, how, exitCode, signal },
    step: error?.step ?? activity?.step,
    operation: error?.operation ?? activity?.operation,
    collective: activity?.collective,
    error: thrown(error),
    hint,
  };
}

/** The part about all ranks. */
export function ranksOf(
  processes: readonly RankProcess[],
  options: { errors: ReadonlyMap<number, RankError>; activities: ReadonlyMap<number, Activity> },
): ErrorReport["ranks"] {
  return processes.map(({ rank, exit }) => {
    const activity = options.activities.get(rank), error = options.errors.get(rank);
    return {
      ...{ rank, exitCode: exit?.code, signal: exit?.signal },
      ...{ step: activity?.step, operation: activity?.operation, collective: activity?.collective },
      error: thrown(error),
    };
  });
}

/** Writes the report, whole or not at all. @throws Error if it cannot be written */
export async function writeErrorReport(path: string, report: ErrorReport): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${Deno.pid}.tmp`;
  try {
    await Deno.writeTextFile(temporary, JSON.stringify(report, undefined, 2) + "\n");
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

function thrown(error: RankError | undefined): Pick<RankError, "name" | "message" | "stack"> | undefined {
  return error && { name: error.name, message: error.message, stack: error.stack };
}
