import type { Activity } from "../runtime/core/activity_page.ts";

/** What a rank was doing, in words: `at step 12, in backward, waiting for rank 1 in allReduce`. Empty if nothing is known. */
export function describeActivity(activity: Pick<Activity, "step" | "operation" | "collective"> | undefined): string {
  if (!activity) return "";
  const { step, operation, collective } = activity;
  const parts = [];
  if (step !== undefined) parts.push(`at step ${step}`);
  if (operation !== undefined) parts.push(`in ${operation}`.replace("in meeting", "meeting"));
  if (collective) {
    const whom = collective.waitsFor === undefined ? "the others" : `rank ${collective.waitsFor}`;
    parts.push(`waiting for ${whom} in ${collective.kind}`);
  }
  return parts.join(", ");
}
