import type { Dtype, Kind, Op, Signature } from "./frame.ts";

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
