import type { Dtype, Kind, Op, Signature } from "./frame.ts";

/** A host's name in a message is cut. */
const LONGEST_HOST = 255;

/** What a rank says it called. */
export interface Report {
  readonly signature: Signature;
  /** Where in the program. */
  readonly site: string;
  /** Whether it wants to hear the same from whoever gets this. */
  readonly asks: boolean;
}

/** What a rank says it failed with. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly operation?: string;
  readonly host?: string;
}

/** What a rank says when it leaves the group. */
export interface Farewell {
  /** What its host is called. */
  readonly host?: string;
  /** What its process exits with; absent if it goes on. */
  readonly exitCode?: number;
}

/** What a rank says to those who watch whether it lives. */
export interface LastWords {
  /** It leaves the group: that it is not there any more is no failure by itself. */
  readonly leaves?: boolean;
  /** It threw something, which ends its process unless somebody handles it. */
  readonly error?: { readonly name: string; readonly message: string };
}

/** Reads a farewell. Of one that cannot be read nothing is known but that the rank leaves. */
export function parseFarewell(payload: Uint8Array): Farewell {
  const { host, exitCode } = recordOf(payload) ?? {};
  return {
    ...(typeof host === "string" && { host: host.slice(0, LONGEST_HOST) }),
    ...(Number.isInteger(exitCode) && { exitCode: exitCode as number }),
  };
}

/** Reads what a rank says on its lifeline; undefined if it cannot be read. */
export function parseLastWords(payload: Uint8Array): LastWords | undefined {
  const record = recordOf(payload);
  if (!record) return undefined;
  const { leaves, error } = record, { name, message } = (error ?? {}) as Record<string, unknown>;
  return {
    leaves: leaves === true,
    ...(typeof name === "string" && typeof message === "string" && { error: { name, message } }),
  };
}

/** Reads a report. Its fields have the right types whatever was sent. @throws Error naming the rank if it is none */
export function parseReport(payload: Uint8Array, source: number): Report {
  const { signature, site, asks } = parseRecord(payload, source);
  if (typeof signature !== "object" || signature === null) throw unreadable(source, "a report without a collective");
  const { kind, dtype, op, root, count, purpose } = signature as Record<string, unknown>;
  return {
    signature: {
      kind: text(kind) as Kind,
      dtype: text(dtype) as Dtype,
      op: text(op) as Op,
      root: Number(root),
      count: Number(count),
      ...(typeof purpose === "string" && { purpose }),
    },
    site: text(site),
    asks: asks === true,
  };
}

/** Reads what a rank failed with. Its fields have the right types whatever was sent. @throws Error naming the rank if it is none */
export function parseFailure(payload: Uint8Array, source: number): Failure {
  const { name, message, stack, operation, host } = parseRecord(payload, source);
  return {
    name: typeof name === "string" ? name : "Error",
    message: text(message),
    ...(typeof stack === "string" && { stack }),
    ...(typeof operation === "string" && { operation }),
    ...(typeof host === "string" && { host }),
  };
}

function recordOf(payload: Uint8Array): Record<string, unknown> | undefined {
  try {
    return parseRecord(payload, -1);
  } catch {
    return undefined;
  }
}

function parseRecord(payload: Uint8Array, source: number): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(payload));
  } catch (cause) {
    throw unreadable(source, (cause as Error).message, cause);
  }
  if (typeof json !== "object" || json === null) throw unreadable(source, "it holds no record");
  return json as Record<string, unknown>;
}

function unreadable(source: number, why: string, cause?: unknown): Error {
  return new Error(`a frame from rank ${source} cannot be read: ${why}`, { cause });
}

/** Never calls what was sent. */
function text(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "object" ? "?" : String(value);
}
