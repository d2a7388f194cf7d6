import type { NumberArray, ProcessGroup, ReduceOp } from "./process_group.ts";

/**
 * What reduces the arrays of a group in place of its own algorithms. The group stays in charge: it lets an engine begin when all ranks have called the
 * same collective, one at a time, and ends it when a rank fails or the time is over.
 */
export interface ReduceEngine {
  /** Whether it reduces such an array. The answer is the same on all ranks. */
  takes(data: NumberArray): boolean;
  /** Reduces in place; afterwards every rank holds the same bytes. Does not hold the event loop. @throws what the engine says, soon after {@linkcode cancel} too */
  allReduce(data: NumberArray, op: ReduceOp): Promise<void>;
  /** Ends what runs on this rank. Nothing can be reduced afterwards. */
  cancel(reason: Error): void;
  /** Frees what it holds, when nothing runs any more. */
  close(): void;
}

/** Starts an engine for the ranks of a group, which meet through the group. */
export type StartReduceEngine = (group: ProcessGroup) => Promise<ReduceEngine>;
