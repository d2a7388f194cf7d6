import type { GroupWatch } from "../comm/exchange.ts";
import { activity, peerFailure } from "../core/activity.ts";
import { RankFailedError } from "../core/errors.ts";

/** Notes what the collectives do where the launcher sees it, and learns from there which rank failed. */
export const groupWatch: GroupWatch = {
  began: (kind, sequence) => activity().beginCollective(kind, sequence),
  waitsFor: (rank) => activity().waitFor(rank),
  ended: () => activity().endCollective(),
  failure: failureOfPeer,
};

/** The failure of another rank, as the launcher told it; undefined if there is none. */
export function failureOfPeer(): RankFailedError | undefined {
  const told = peerFailure();
  if (!told) return undefined;
  const { rank, host, step, operation, message } = told;
  return new RankFailedError(message, { rank, host, step, operation });
}
