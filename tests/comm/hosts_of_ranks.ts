import { memoryTransports } from "../../runtime/comm/memory_transport.ts";
import type { ProcessGroup } from "../../runtime/comm/process_group.ts";
import { TransportGroup, type TransportGroupOptions } from "../../runtime/comm/transport_group.ts";
import { delay } from "./late_transport.ts";
import { type Faults, ProcessMemory } from "./process_memory.ts";

/** Ranks of several hosts within one process, and what goes between them. */
export interface World {
  groups: ProcessGroup[];
  /** What the ranks of each host share. */
  memories: ProcessMemory[];
  /** Bytes of payloads from host to host, and within hosts. */
  traffic: { between: number; within: number };
}

/** Joins the ranks of some hosts. @param hosts the ranks of each. @param faults of a host's shared memory; no memory at all without them. @param delayMs on the way between hosts */
export function joinHosts(
  hosts: number[][],
  options: TransportGroupOptions & { faults?: (host: number) => Faults; delayMs?: number } = {},
): World {
  const { faults, delayMs = 0, ...rest } = options;
  const hostOf = (rank: number) => hosts.findIndex((host) => host.includes(rank));
  const memories = hosts.map((_, host) => new ProcessMemory(faults?.(host)));
  const traffic = { between: 0, within: 0 };
  const groups = memoryTransports(hosts.flat().length).map((transport, rank) => {
    const isNear = (to: number) => hostOf(to) === hostOf(rank);
    delay(transport, { isLate: (to) => delayMs > 0 && !isNear(to), delayMs });
    const send = transport.send.bind(transport);
    transport.send = (to, head, payload, inPlace) => {
      traffic[isNear(to) ? "within" : "between"] += payload.length;
      return send(to, head, payload, inPlace);
    };
    const sharedMemory = faults && memories[hostOf(rank)];
    return new TransportGroup(transport, { ...rest, hosts, sharedMemory });
  });
  return { groups, memories, traffic };
}
