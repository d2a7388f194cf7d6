const root = new URL("../../", import.meta.url).href;
/** Folders whose frames are the runtime's own: the caller is the first frame outside of them. */
const INTERNAL = ["runtime/", "strategies/", "launcher/"].map((folder) => root + folder);

/**
 * Where the user's code called the runtime, as `file:line:column`.
 * @param trace an Error made in the call; its stack is only put into words here, because that is what costs
 */
export function callSite(trace: Error): string {
  const places = (trace.stack ?? "").split("\n").slice(1).flatMap((line) => {
    const place = /\(?((?:file|https?|data|blob):[^\s()]+:\d+:\d+)\)?$/.exec(line.trim());
    return place ? [place[1]] : [];
  });
  const outside = places.find((place) => !INTERNAL.some((folder) => place.startsWith(folder)));
  return outside ?? places.find((place) => !place.startsWith(root + "runtime/comm/")) ?? places.at(-1) ??
    "an unknown place";
}
