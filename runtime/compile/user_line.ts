/** The folder of this library: what lies in it is not the user's. Tests and examples are. */
const ROOT = new URL("../../", import.meta.url).href;
const OWN = ["runtime/", "strategies/", "launcher/", "mod.ts"].map((path) => ROOT + path);

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
  for (const line of (site?.stack ?? "").split("\n").slice(1)) {
    const place = line.match(/((?:file|https?):\/\/[^\s)]+:\d+:\d+)/)?.[1];
    if (place && !place.includes("/npm/") && !OWN.some((own) => place.startsWith(own))) return place;
  }
  return undefined;
}
