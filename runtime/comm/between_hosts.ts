import { barrier } from "./algorithms.ts";
import type { Peers } from "./peers.ts";
import type { HostSpeed } from "./process_group.ts";

/** Round trips of which the shortest counts. */
const PINGS = 5;
/** Steps of a measurement, besides those of its barriers: of the pings, and for each other host from there on. */
const PING_STEP = 0x1000, GO_STEP = 0x10_0000, LOAD_STEP = 0x20_0000, DONE_STEP = 0x30_0000;

/** Options of {@linkcode measureHosts}. */
export interface MeasureOptions {
  /** The ranks of each host. */
  hosts: readonly (readonly number[])[];
  /** What they are called. */
  names: readonly string[];
  /** What each rank that has a partner on all hosts sends to it, to see how fast that is; at most 1 MiB. Only the first one's counts. */
  load: Uint8Array;
  /** Milliseconds of a clock that never goes back. */
  now: () => number;
}

/**
 * How fast the ranks of the first host reach those of the others, one host after the other while all else rests. A round trip is the shortest of five, by the first rank. The speed is that of
 * all ranks that carry something in an all-reduce, at the same time, by connections that are in use already.
 * @returns on the first host's first rank what it measured
 */
export async function measureHosts(all: Peers, options: MeasureOptions): Promise<HostSpeed[]> {
  const { hosts: [here, ...others], names, now } = options, { rank } = all, [leader] = here;
  const carriers = Math.min(here.length, ...others.map((host) => host.length));
  // All have come: nobody is waited for who still computes.
  await barrier(all, 0);
  const speeds: HostSpeed[] = [];
  for (const [index, there] of others.entries()) {
    const place = Math.max(here.indexOf(rank), there.indexOf(rank)), carries = place >= 0 && place < carriers;
    if (carries && there.includes(rank)) await answer(all, { from: here[place], index, isFirst: place === 0 });
    else if (rank === leader) {
      const roundTripMs = await ping(all, there[0], now), { load } = options, begun = now();
      for (let i = 1; i < carriers; i++) all.send(here[i], GO_STEP + index, load);
      await carry(all, there[0], { index, load });
      for (let i = 1; i < carriers; i++) await all.receive(here[i], DONE_STEP + index);
      const loadMs = Math.max(now() - begun - roundTripMs, 1e-3);
      speeds.push({
        host: names[index + 1],
        roundTripMs,
        bytesPerSecond: carriers * load.byteLength / loadMs * 1000,
      });
    } else if (carries) {
      const load = (await all.receive(leader, GO_STEP + index)).slice();
      await carry(all, there[place], { index, load });
      all.send(leader, DONE_STEP + index);
    }
  }
  await barrier(all);
  return speeds;
}

async function ping(all: Peers, other: number, now: () => number): Promise<number> {
  let shortest = Infinity;
  for (let count = 0; count < PINGS; count++) {
    const begun = now();
    all.send(other, PING_STEP + count);
    await all.receive(other, PING_STEP + count);
    shortest = Math.min(shortest, now() - begun);
  }
  return shortest;
}

async function carry(all: Peers, to: number, { index, load }: { index: number; load: Uint8Array }): Promise<void> {
  all.send(to, LOAD_STEP + index, load);
  await all.receive(to, LOAD_STEP + index);
}

async function answer(all: Peers, { from, index, isFirst }: { from: number; index: number; isFirst: boolean }) {
  for (let count = 0; isFirst && count < PINGS; count++) {
    await all.receive(from, PING_STEP + count);
    all.send(from, PING_STEP + count);
  }
  await all.receive(from, LOAD_STEP + index);
  all.send(from, LOAD_STEP + index);
}
