/** Errors that somebody catches. Bad input gets the closest built-in class (TypeError, RangeError, Error) instead. */

/** What a rank was doing when it failed, as far as it is known. */
export interface FailureFacts {
  /** The global rank that failed first. */
  rank: number;
  /** The host it ran on. */
  host?: string;
  /** The training step it was at. */
  step?: number;
  /** The operation it was in, e.g. `allReduce`. */
  operation?: string;
}

/** Another rank failed, so this collective can never complete. */
export class RankFailedError extends Error {
  override readonly name = "RankFailedError";
  readonly facts: FailureFacts;
  constructor(message: string, facts: FailureFacts, options?: ErrorOptions) {
    super(message, options);
    this.facts = facts;
  }
}

/** A collective, the rendezvous or the store did not answer in time. */
export class CommTimeoutError extends Error {
  override readonly name = "CommTimeoutError";
  readonly operation: string;
  readonly timeoutMs: number;
  constructor(message: string, facts: { operation: string; timeoutMs: number }, options?: ErrorOptions) {
    super(message, options);
    this.operation = facts.operation;
    this.timeoutMs = facts.timeoutMs;
  }
}

/** Messages from another rank were lost on their way, so that what they belong to can never complete. */
export class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
  /** The rank whose messages were lost. */
  readonly rank: number;
  constructor(message: string, rank: number) {
    super(message);
    this.rank = rank;
  }
}

/** Ranks called different collectives, or the same one with different sizes or types. Thrown on every rank. */
export class CollectiveMismatchError extends Error {
  override readonly name = "CollectiveMismatchError";
}

/** A file that should hold a checkpoint is damaged, cut short, or does not fit what it is loaded into. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
  readonly path: string;
  constructor(message: string, path: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}
