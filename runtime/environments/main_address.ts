import { integer, text, type Variables } from "./variables.ts";

/** What {@linkcode mainAddressOf} and {@linkcode mainPortOf} fall back to. */
export interface MainOptions {
  /** What is asking, for the message, e.g. `Open MPI`. */
  what: string;
  numNodes: number;
  /** The first host, if it is known. Default: it must be given. */
  firstHost?: string;
}

/**
 * Where ranks that were not told by torchrun's variables find rank 0: on one host loopback; on several `MASTER_ADDR` (or the launcher's
 * `WEFT_MAIN_ADDRESS`), else the first host.
 *
 * @throws Error if there are several hosts and none is known to be the first
 */
export function mainAddressOf(variables: Variables, { what, numNodes, firstHost }: MainOptions): string {
  const address = text(variables, "MASTER_ADDR") ?? text(variables, "WEFT_MAIN_ADDRESS");
  // An address inherited from elsewhere would open the sockets of a run that has no use for it.
  if (numNodes === 1) return "127.0.0.1";
  if (address ?? firstHost) return (address ?? firstHost)!;
  throw new Error(
    `${what} started ranks on ${numNodes} hosts, but does not say which of them has rank 0: ` +
      `set MASTER_ADDR to its address`,
  );
}

/** Ports for runs that agree on one by their number: below those that systems give out by themselves. */
const FIRST_PORT = 15_000, PORTS = 10_000;
/** For a run without a number; Lightning's. */
const DEFAULT_PORT = 12_910;

/**
 * The port of the store: `MASTER_PORT` (or the launcher's `WEFT_MAIN_PORT`), else one between 15000 and 24999 that follows from the job,
 * so that jobs beside each other rarely meet; when they do, the run's name tells, and `MASTER_PORT` helps.
 *
 * @param job the number of the job, the same on all its ranks
 */
export function mainPortOf(variables: Variables, job: number | undefined): number {
  const range = { min: 1, max: 65535 };
  return integer(variables, "MASTER_PORT", range) ?? integer(variables, "WEFT_MAIN_PORT", range) ??
    (job === undefined ? DEFAULT_PORT : FIRST_PORT + job % PORTS);
}

/** A number for a name, the same everywhere (FNV-1a, 32 bits). */
export function numberOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
