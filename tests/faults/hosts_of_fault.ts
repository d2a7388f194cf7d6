import type { Fault } from "./fault.ts";

/** The host of the fault's rank. Of `host`, the one that is cut off. */
export function hostOf({ rank, hosts, worldSize }: Fault): number {
  return Math.floor(rank * hosts / worldSize);
}

/** Whether the others must miss it: it is away for longer than the heartbeat's timeout. */
export function isMissed({ cut }: Fault): boolean {
  return cut !== undefined && cut.comesBack !== "in time";
}

/** The hosts that node 0 still reaches while that host is cut off. Node 0 has the store, so the run is theirs. */
export function hostsLeft(fault: Fault): number[] {
  return hostOf(fault) === 0 ? [0] : all(fault).filter((host) => host !== hostOf(fault));
}

/** The hosts with which the run must come to its end; none if it fails. */
export function hostsAtEnd(fault: Fault): number[] {
  const { cut, maxRestarts, minHosts } = fault;
  if (!isMissed(fault)) return all(fault);
  // With --max-restarts who was cut off waits for node 0 to answer again; without, its part of the run is over.
  if (maxRestarts > 0 && cut!.comesBack !== "never") return all(fault);
  return hostsLeft(fault).length >= minHosts ? hostsLeft(fault) : [];
}

/** Whether some launchers wait for a host until the rendezvous' timeout, in vain. */
export function waitsInVain(fault: Fault): boolean {
  return isMissed(fault) && hostsAtEnd(fault).length < fault.hosts &&
    (fault.maxRestarts > 0 || hostOf(fault) === 0 && fault.minHosts < fault.hosts && fault.minHosts > 1);
}

function all({ hosts }: Fault): number[] {
  return Array.from({ length: hosts }, (_, host) => host);
}
