import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { differenceOf, type HostFacts, hostFacts } from "../../launcher/host_facts.ts";
import { hostName } from "../../launcher/host_name.ts";
import type { ProcessGroup } from "../comm/process_group.ts";
import type { ClusterInfo } from "../environments/cluster_info.ts";

/** What a rank tells of the program that it runs. */
export interface Program {
  readonly host: string;
  readonly facts: HostFacts;
}

/**
 * What this host runs: digests of the script, wherever it lies, and of what it imports, Weft, Deno. Where files may not be read, or there is no script, undefined.
 * Of a host's ranks the first says it for all.
 */
export async function ownProgram({ localRank }: Pick<ClusterInfo, "localRank">): Promise<Program | undefined> {
  if (localRank !== 0 || Deno.permissions.querySync({ name: "read" }).state !== "granted") return undefined;
  const script = new URL(Deno.mainModule);
  if (script.protocol !== "file:" || script.pathname.includes("$deno$")) return undefined;
  const { [`the source of ${basename(fileURLToPath(script))}`]: own, ...facts } = await hostFacts({ script });
  return { host: hostName() ?? "", facts: { "the source of the script": own, ...facts } };
}

/**
 * Lets ranks on several hosts that no launcher started see whether they run the same, which launchers otherwise compare.
 * @throws RangeError on every rank, naming the ranks, their hosts and what differs
 */
export async function checkSameProgram(group: ProcessGroup, mine: Promise<Program | undefined>): Promise<void> {
  const told = await group.allGatherObjects(await mine ?? null, { purpose: "comparing programs" });
  const problem = programDifference(told);
  if (problem !== undefined) throw new RangeError(problem);
}

/** How the first host's program differs from another's, in words; undefined if none does. @param told by rank. What only one of two hosts could find out is not compared */
export function programDifference(told: readonly (Program | null)[]): string | undefined {
  const first = told.findIndex((program) => program !== null);
  for (const [rank, program] of told.entries()) {
    if (program === null || rank === first) continue;
    const known = Object.entries(told[first]!.facts).filter(([name]) => Object.hasOwn(program.facts, name));
    const theirs = Object.fromEntries(known.map(([name]) => [name, program.facts[name]]));
    const difference = differenceOf(Object.fromEntries(known), theirs);
    if (difference === undefined) continue;
    return `rank ${rank} on ${program.host} differs from rank ${first} on ${told[first]!.host}, which says this: ` +
      `${difference}. All ranks of a run need the same`;
  }
  return undefined;
}
