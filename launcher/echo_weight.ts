import type { RankError } from "./rank_error.ts";

/**
 * How far an error is from being the first: 0 for one of the rank's own. `CollectiveMismatchError` comes on all ranks, also when one has left because it
 * failed; `RankFailedError` says by itself that another rank failed.
 */
export function echoWeight(error: RankError | undefined): number {
  if (error?.name === "RankFailedError") return 2;
  return error?.name === "CollectiveMismatchError" ? 1 : 0;
}
