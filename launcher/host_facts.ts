import { scriptDigests, weftVersion } from "./source_digests.ts";

/** What has to be the same on all hosts of a run, in words, by what it is called. */
export type HostFacts = Readonly<Record<string, string>>;

/** More differences are not listed. */
const LISTED = 4;

/**
 * What this host compares with the others.
 * @param run.args the script's. Default: they may differ
 * @param run.options options of the launcher and variables, by name; what is undefined was not given. Default: there are none
 */
export async function hostFacts(
  run: { script: URL; args?: readonly string[]; options?: Record<string, string | number | undefined> },
): Promise<HostFacts> {
  const sources = Object.entries(await scriptDigests(run.script));
  return {
    Weft: await weftVersion(),
    Deno: Deno.version.deno,
    ...Object.fromEntries(sources.map(([file, digest]) => [`the source of ${file}`, digest])),
    ...(run.args && { "the script's arguments": run.args.join(" ") }),
    ...Object.fromEntries(Object.entries(run.options ?? {}).map(([name, value]) => [name, String(value ?? "")])),
  };
}

/** How another host's facts differ from this one's, in words; undefined if they do not. */
export function differenceOf(mine: HostFacts, theirs: HostFacts): string | undefined {
  // What another host calls "valueOf" is not what every object has by that name.
  const [here, there] = [mine, theirs].map((facts) => new Map(Object.entries(facts)));
  const names = [...new Set([...here.keys(), ...there.keys()])].filter((name) => here.get(name) !== there.get(name));
  if (names.length === 0) return undefined;
  const listed = names.slice(0, LISTED).map((name) =>
    `${name} (${shown(there.get(name))} there, ${shown(here.get(name))} here)`
  );
  return [...listed, ...names.length > LISTED ? [`and ${names.length - LISTED} more`] : []].join(", ");
}

function shown(value: string | undefined): string {
  return value ? JSON.stringify(value.slice(0, 200)) : "none";
}
