/** Who shares a host, seen from one rank. */
export interface HostLayout {
  /** Whether every host has one rank alone. */
  readonly isFlat: boolean;
  /** The ranks of this rank's host, in their order. */
  readonly near: readonly number[];
  /**
   * How many ranks of each host carry something to other hosts: as many as the smallest host has. The rank with place i on its host carries segment i.
   */
  readonly carriers: number;
  /** The ranks that carry the same segment as this one, one on each host; undefined if this rank carries none. */
  readonly far: readonly number[] | undefined;
}

/**
 * Sorts out who shares a host with a rank, and who takes whose part on the other hosts.
 * @param hosts the ranks of each host, by host: every rank once
 * @returns undefined if all ranks are on one host
 * @throws RangeError if a rank is missing, or there twice
 */
export function hostLayout(
  hosts: readonly (readonly number[])[],
  { rank, worldSize }: { rank: number; worldSize: number },
): HostLayout | undefined {
  const ranks = hosts.flat().sort((a, b) => a - b);
  if (ranks.length !== worldSize || ranks.some((one, index) => one !== index)) {
    throw new RangeError(
      `hosts are ${JSON.stringify(hosts)}; each of the ranks 0 to ${worldSize - 1} must be on one of them`,
    );
  }
  if (hosts.length < 2) return undefined;
  const near = hosts.find((host) => host.includes(rank))!;
  const carriers = Math.min(...hosts.map((host) => host.length));
  const place = near.indexOf(rank);
  return {
    isFlat: hosts.length === ranks.length,
    near,
    carriers,
    far: place < carriers ? hosts.map((host) => host[place]) : undefined,
  };
}

/** Groups ranks by what those of one host have in common, in the order of each host's first rank. */
export function groupByHost(machines: readonly string[]): number[][] {
  const hosts = new Map<string, number[]>();
  for (const [rank, machine] of machines.entries()) hosts.set(machine, [...hosts.get(machine) ?? [], rank]);
  return [...hosts.values()];
}
