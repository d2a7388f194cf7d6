/** The folder of this library: what lies in it is not the user's. Tests and examples are. */
const ROOT = new URL("../../", import.meta.url).href;
const OWN = ["runtime/", "strategies/", "launcher/", "mod.ts"].map((path) => ROOT + path);

/** A function's call stack, deep enough to reach out of TensorFlow.js. */
export function callStack(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = limit;
  return stack;
}

/** The innermost line of a call stack that is neither this library's nor a package's: `file:///home/me/train.ts:12:5`. */
export function userLine(stack: string): string | undefined {
  for (const line of stack.split("\n").slice(1)) {
    const place = line.match(/((?:file|https?):\/\/[^\s)]+:\d+:\d+)/)?.[1];
    if (place && !place.includes("/npm/") && !OWN.some((own) => place.startsWith(own))) return place;
  }
  return undefined;
}
