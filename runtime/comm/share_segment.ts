import type { Peers } from "./peers.ts";
import type { Segment, SharedMemory } from "./shared_memory.ts";

/** Who cannot take part, and why. */
export interface Refusal {
  /** Its place among the peers. */
  readonly place: number;
  readonly why: string;
}

/** Options of {@linkcode shareSegment}. */
export interface ShareOptions {
  sharedMemory: SharedMemory;
  /** Of the whole segment. */
  bytes: number;
  /** The first of two steps that this takes. */
  step: number;
  /** What a rank does with the segment before it says that it can use it. @throws Error if it cannot */
  prepare: (segment: Segment) => void;
}

const WASM_LIMIT = 2 ** 32 - 65_536;

/**
 * Makes a segment that all peers have open: the first of them makes it, the others open it.
 * @returns the same on all peers, but for the segment itself: it, or the first of those that cannot use it
 */
export async function shareSegment(
  peers: Peers,
  { sharedMemory, bytes, step, prepare }: ShareOptions,
): Promise<{ segment: Segment } | { refusal: Refusal }> {
  const { rank, worldSize } = peers;
  let segment: Segment | undefined, problem = "";
  const attempt = (open: () => Segment) => {
    try {
      if (bytes > WASM_LIMIT) throw new Error(`${worldSize} ranks need ${bytes} bytes of address space`);
      segment = open();
      prepare(segment);
    } catch (error) {
      problem = (error as Error).message;
    }
  };
  try {
    if (rank === 0) {
      attempt(() => sharedMemory.create(bytes));
      const name = new TextEncoder().encode(segment?.name ?? "");
      for (let to = 1; to < worldSize; to++) peers.send(to, step, name);
    } else {
      const name = new TextDecoder().decode(await peers.receive(0, step));
      if (name) attempt(() => sharedMemory.open(name, bytes));
      else problem = `rank ${peers.rankAt(0)} has none`;
    }
    const refusal = await agree(peers, step + 1, problem);
    if (!refusal) return { segment: segment! };
    segment?.close();
    return { refusal };
  } catch (error) {
    segment?.close();
    throw error;
  }
}

/** Every rank tells every other whether it can, by an empty problem; one that cannot decides it for all. @returns the first of those */
export async function agree(peers: Peers, step: number, problem: string): Promise<Refusal | undefined> {
  const { rank, worldSize } = peers;
  const mine = new TextEncoder().encode(problem.slice(0, 1000));
  for (let k = 1; k < worldSize; k++) peers.send((rank + k) % worldSize, step, mine);
  let first: Refusal | undefined = problem ? { place: rank, why: problem } : undefined;
  for (let k = 1; k < worldSize; k++) {
    const place = (rank + k) % worldSize;
    const why = new TextDecoder().decode(await peers.receive(place, step));
    if (why && (first === undefined || place < first.place)) first = { place, why };
  }
  return first;
}
