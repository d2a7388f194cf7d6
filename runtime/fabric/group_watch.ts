import type { GroupWatch } from "../comm/group_watch.ts";
import { activity, peerFailure } from "../core/activity.ts";
import type { ActivityPage } from "../core/activity_page.ts";
import { RankFailedError } from "../core/errors.ts";

/** Notes what the collectives do where the launcher sees it, and learns from there which rank failed. */
export const groupWatch: GroupWatch = groupWatchOf(activity);

/** The same for a rank whose page is not this process's. */
export function groupWatchOf(page: () => ActivityPage): GroupWatch {
  return {
    began: (kind, sequence) => page().beginCollective(kind, sequence),
    waitsFor: (rank, step) => page().waitFor(rank, step),
    ended: () => page().endCollective(),
    failure: () => failureOfPeer(page()),
  };
}

/** The failure of another rank, as the launcher told it; undefined if there is none. @param page where. Default: this process's */
export function failureOfPeer(page: ActivityPage = activity()): RankFailedError | undefined {
  const told = peerFailure(page);
  if (!told) return undefined;
  const { rank, host, step, operation, message } = told;
  return new RankFailedError(message, { rank, host, step, operation });
}
