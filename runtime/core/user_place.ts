/** Which places of a call stack are the user's: not this library's, and not a package's. Tests and examples are. */

const ROOT = new URL("../../", import.meta.url).href;
const LIBRARY = ["runtime/", "strategies/", "launcher/", "mod.ts"].map((path) => ROOT + path);
/** Deno's cache of npm packages, and a folder of them. */
const PACKAGES = ["/npm/", "/node_modules/"];

/** `file:line:column` of each frame that lies in a module, innermost first. The engine's and Deno's own frames are left out. */
export function placesOf({ stack = "" }: { stack?: string }): string[] {
  return [...stack.matchAll(/^ +at .*?((?:file|https?|data|blob):[^\s()]+:\d+:\d+)\)?$/gm)].map(([, place]) => place);
}

/** True for a place in this library. */
export function isLibrary(place: string): boolean {
  return LIBRARY.some((path) => place.startsWith(path));
}

/**
 * The innermost place of the user's in a call stack, e.g. `file:///home/me/train.ts:12:5`.
 * @param trace an Error; its stack is only put into words here, because that is what costs
 */
export function userPlace(trace: { stack?: string }): string | undefined {
  return placesOf(trace).find(isUsers);
}

/**
 * A stack with its first frame and those of the user's; others, where there are several in a row, are only counted. Unchanged if none is
 * the user's.
 */
export function shortStack(stack: string): string {
  if (userPlace({ stack }) === undefined) return stack;
  const lines: string[] = [], others: string[] = [];
  const endOthers = () => {
    lines.push(...others.length > 1 ? [`    … ${others.length} calls within libraries`] : others);
    others.length = 0;
  };
  let hasFrame = false;
  for (const line of stack.split("\n")) {
    const isFrame = /^ +at /.test(line);
    if (isFrame && hasFrame && !placesOf({ stack: line }).some(isUsers)) others.push(line);
    else {
      endOthers();
      lines.push(line);
    }
    hasFrame ||= isFrame;
  }
  endOthers();
  return lines.join("\n");
}

function isUsers(place: string): boolean {
  return !isLibrary(place) && !PACKAGES.some((folder) => place.includes(folder));
}
