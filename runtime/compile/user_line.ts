import { userPlace } from "../core/user_place.ts";

/** Where something was called: an error whose stack reaches out of TensorFlow.js. Its text is made only if it is looked at. */
export function callSite(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  const site = new Error();
  Error.stackTraceLimit = limit;
  return site;
}

/** The innermost line of a call stack that is neither this library's nor a package's: `file:///home/me/train.ts:12:5`. */
export function userLine(site: Error | undefined): string | undefined {
  return site && userPlace(site);
}
