import type { UserCall } from "../core/user_call.ts";
import { placesOf, userPlace } from "../core/user_place.ts";

const OWN = new URL("./", import.meta.url).href;

/**
 * Where the user's code called the runtime, as `file:line:column`; if no stack shows that, where the runtime called the group.
 * @param call the call of the group
 */
export function callSite(call: UserCall): string {
  // The group's own stack comes last: it may have lost the caller's frame in an await, and show the next one further out.
  for (let at = call.outer; at; at = at.outer) {
    const place = userPlace(at.trace);
    if (place !== undefined) return place;
  }
  const direct = userPlace(call.trace);
  if (direct !== undefined) return direct;
  const places = placesOf(call.trace);
  return places.find((place) => !place.startsWith(OWN)) ?? places.at(-1) ?? "an unknown place";
}
