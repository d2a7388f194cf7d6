/**
 * The first host of a list as Slurm writes it, e.g. `node[007-012,20],login` or names with spaces or commas between.
 *
 * @throws RangeError if the list is empty, or a bracket in it is not closed
 *
 * @example
 * ```ts
 * console.assert(firstSlurmHost("host[5-9,1]") === "host5");
 * console.assert(firstSlurmHost("rack[0-1]n[02-04]") === "rack0n02");
 * ```
 */
export function firstSlurmHost(list: string): string {
  const host = /^(?:\[[^\]]*\]|[^\s,[\]])+/.exec(list.trim())?.[0] ?? "";
  const first = host.replace(/\[\s*([^\],\s-]*)[^\]]*\]/g, "$1");
  const next = list.trim().slice(host.length, host.length + 1);
  if (first !== "" && !/[[\]]/.test(next)) return first;
  throw new RangeError(
    `The list of hosts ${JSON.stringify(list)} cannot be read: Slurm writes it like "node1,node2" or "node[1-4]"`,
  );
}

/**
 * How many tasks run on each host, from `SLURM_TASKS_PER_NODE`'s notation, e.g. `2(x3),1` for 2, 2, 2 and 1.
 *
 * @throws RangeError if it is not written so, or has more than a million hosts
 */
export function tasksPerNode(notation: string): number[] {
  const counts: number[] = [];
  for (const part of notation.split(",")) {
    const [, tasks, times = "1"] = /^\s*(\d{1,7})(?:\(x(\d{1,7})\))?\s*$/.exec(part) ?? [];
    if (tasks === undefined || counts.length + Number(times) > 1e6) {
      throw new RangeError(
        `The tasks per node ${JSON.stringify(notation)} cannot be read: Slurm writes them like "2(x3),1"`,
      );
    }
    counts.push(...Array<number>(Number(times)).fill(Number(tasks)));
  }
  return counts;
}
