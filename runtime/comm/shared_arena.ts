import { info } from "../core/messages.ts";
import type { Peers } from "./peers.ts";
import { compileKernels, type ReduceKernels } from "./reduce_kernels.ts";
import { agree, type Refusal, shareSegment } from "./share_segment.ts";
import type { Segment, SharedMemory } from "./shared_memory.ts";

/** Steps from here on agree about the shared memory; below are the turns of a collective. */
const SETUP_STEP = 0x4000_0000, GROW_STEP = SETUP_STEP + 2;
/** Slots that take turns; docs/collectives.md tells why so many. */
export const WHOLE_SLOTS = 2, CHUNK_SLOTS = 8;
/** Ranks' pieces of a chunk begin at multiples of this: a cache line, so that no two ranks write to one. */
export const LINE_BYTES = 64;
/** The least that is taken for a slot. */
const LEAST_BYTES = 64 * 1024;

/** Options of {@linkcode SharedArena}. */
export interface SharedArenaOptions {
  /** Where the memory comes from. */
  sharedMemory: SharedMemory;
  /** The most bytes of an array that every rank reduces as a whole. */
  wholeBytes: number;
  /** The bytes of a chunk of longer arrays. */
  chunkBytes: number;
}

/**
 * The memory that the ranks of a group, or those of it on one host, share: an area each, in one segment that the first of them makes at the first use. An area has slots for whole arrays, a place for their result, and slots for chunks; room is
 * taken when it is needed. Whether it can be used is agreed among all ranks, each time that more is needed.
 */
export class SharedArena {
  /** Bytes between two ranks' areas. */
  readonly stride: number;
  readonly wholeBytes: number;
  readonly chunkBytes: number;
  readonly #sharedMemory: SharedMemory;
  readonly #slotBytes: number;
  #segment: Segment | undefined;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #kernels: ReduceKernels | undefined;
  #isOff = false;
  #wholeRoom = 0;
  #hasChunkRoom = false;
  /** The next slots to write. */
  #wholeSlot = 0;
  #chunkSlot = 0;

  constructor(worldSize: number, options: SharedArenaOptions) {
    this.#sharedMemory = options.sharedMemory;
    this.wholeBytes = roundUp(options.wholeBytes, 4096);
    this.chunkBytes = roundUp(Math.max(options.chunkBytes, worldSize * LINE_BYTES), 4096);
    // Kernels write up to 15 bytes more than they are asked for.
    this.#slotBytes = this.wholeBytes + 4096;
    this.stride = roundUp((WHOLE_SLOTS + 1) * this.#slotBytes + CHUNK_SLOTS * this.chunkBytes, 65_536);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  get kernels(): ReduceKernels {
    return this.#kernels!;
  }

  /** Where this rank's area begins. */
  areaOf(rank: number): number {
    return rank * this.stride;
  }

  /** Where in its area the result of a whole array lies. */
  get resultAt(): number {
    return WHOLE_SLOTS * this.#slotBytes;
  }

  /** Where in every area the next whole array lies. */
  nextWholeSlot(): number {
    this.#wholeSlot = (this.#wholeSlot + 1) % WHOLE_SLOTS;
    return this.#wholeSlot * this.#slotBytes;
  }

  /** Takes `count` chunk slots in their order; returns where in every area the one of a chunk lies. */
  nextChunkSlots(count: number): (chunk: number) => number {
    const first = this.#chunkSlot, start = (WHOLE_SLOTS + 1) * this.#slotBytes;
    this.#chunkSlot = (first + count) % CHUNK_SLOTS;
    return (chunk) => start + (first + chunk) % CHUNK_SLOTS * this.chunkBytes;
  }

  /**
   * Makes sure, together with all ranks, that an array of so many bytes can be reduced here.
   * @returns false if it cannot, on every rank alike; it stays so, and the first of them said why
   */
  async prepare(peers: Peers, bytes: number): Promise<boolean> {
    const isWhole = bytes <= this.wholeBytes;
    return await this.#prepare(peers, { wholeBytes: isWhole ? bytes : 0, chunks: !isWhole });
  }

  /** The same for arrays of all sizes at once, before something else takes the room. */
  async prepareAll(peers: Peers): Promise<boolean> {
    return await this.#prepare(peers, { wholeBytes: this.wholeBytes, chunks: true });
  }

  /** Gives the memory back. */
  close(): void {
    this.#isOff = true;
    this.#kernels = undefined;
    this.#bytes = new Uint8Array(0);
    this.#segment?.close();
    this.#segment = undefined;
  }

  async #prepare(peers: Peers, room: { wholeBytes: number; chunks: boolean }): Promise<boolean> {
    if (this.#isOff) return false;
    if (!this.#segment && !await this.#open(peers)) return false;
    const isThere = room.wholeBytes <= this.#wholeRoom && (this.#hasChunkRoom || !room.chunks);
    return isThere || await this.#grow(peers, room);
  }

  async #open(peers: Peers): Promise<boolean> {
    const { worldSize } = peers;
    const shared = await shareSegment(peers, {
      sharedMemory: this.#sharedMemory,
      bytes: worldSize * this.stride,
      step: SETUP_STEP,
      prepare: (segment) => {
        this.#bytes = new Uint8Array(segment.memory.buffer as ArrayBuffer);
        this.#kernels = compileKernels(segment.memory, { count: worldSize, stride: this.stride });
      },
    });
    if ("refusal" in shared) return this.#turnOff(peers, shared.refusal);
    this.#segment = shared.segment;
    return true;
  }

  async #grow(peers: Peers, { wholeBytes, chunks }: { wholeBytes: number; chunks: boolean }): Promise<boolean> {
    const area = this.areaOf(peers.rank);
    let problem = "", room = this.#wholeRoom;
    try {
      if (chunks) this.#segment!.reserve(area + (WHOLE_SLOTS + 1) * this.#slotBytes, CHUNK_SLOTS * this.chunkBytes);
      if (wholeBytes > room) {
        room = Math.max(room, LEAST_BYTES);
        while (room < wholeBytes) room *= 2;
        room = Math.min(room, this.wholeBytes);
        const reserved = Math.min(room + 4096, this.#slotBytes);
        for (let slot = 0; slot <= WHOLE_SLOTS; slot++) this.#segment!.reserve(area + slot * this.#slotBytes, reserved);
      }
    } catch (error) {
      problem = (error as Error).message;
    }
    const refusal = await agree(peers, GROW_STEP, problem);
    if (refusal) return this.#turnOff(peers, refusal);
    this.#hasChunkRoom ||= chunks;
    this.#wholeRoom = room;
    return true;
  }

  #turnOff(peers: Peers, { place, why }: Refusal): false {
    if (peers.rank === 0) {
      const text = `Ranks do not share memory (rank ${peers.rankAt(place)}: ${why}); ` +
        "large all-reduces go through ZeroMQ, which is slower";
      // On another host than rank 0's, somebody has to say it there.
      info(text, { everyRank: peers.rankAt(0) !== 0 });
    }
    this.close();
    return false;
  }
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
