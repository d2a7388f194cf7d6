import type { Peers } from "./peers.ts";
import type { DataArray, NumberArray, SharedArrayUse } from "./process_group.ts";
import { compileKernels, type ReduceKernels } from "./reduce_kernels.ts";
import type { SharedArena } from "./shared_arena.ts";
import type { Segment, SharedMemory } from "./shared_memory.ts";
import { shareSegment } from "./share_segment.ts";

/** Behind the steps in which the ranks agree about the arena. */
const SHARE_STEP = 0x4800_0000;
const PAGE = 4096;

/** Where in shared memory an array lies on every rank. */
export interface SharedPlace {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly kernels: ReduceKernels;
  /** Where the first rank's begins; the others' follow, `stride` bytes from one to the next. */
  readonly start: number;
  readonly stride: number;
  /** The same on all ranks that mean the same numbers, and no other: 1 or more. */
  readonly number: number;
}

/** Where a new array lies on this rank. */
export interface SharedRoom {
  readonly buffer: ArrayBuffer;
  readonly offset: number;
}

interface Block {
  readonly segment: Segment;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly kernels: ReduceKernels;
  readonly stride: number;
  /** The place of its first element. */
  readonly firstPlace: number;
}

/** Options of {@linkcode SharedArrays}. */
export interface SharedArraysOptions {
  /** Whose room comes first: all that is not shared needs it. */
  arena: SharedArena;
  sharedMemory: SharedMemory;
  /** Arrays of more bytes than this are shared to be reduced. */
  fromBytes: number;
  /** And of more than this to be gathered. */
  gatherFromBytes: number;
}

/** Arrays that all ranks of a host share: each has a segment of its own, with an area for every rank. */
export class SharedArrays {
  readonly #place: number;
  readonly #sharers: number;
  readonly #sharedMemory: SharedMemory;
  readonly #arena: SharedArena;
  readonly #fromBytes: number;
  readonly #gatherFromBytes: number;
  readonly #blocks = new Map<ArrayBufferLike, Block>();
  /** Counts in units of 4 bytes; every rank asks for the same arrays. */
  #nextPlace = 0;

  /** @param who this rank's place on its host, and how many ranks that has */
  constructor(who: { place: number; sharers: number }, options: SharedArraysOptions) {
    this.#place = who.place;
    this.#sharers = who.sharers;
    this.#sharedMemory = options.sharedMemory;
    this.#arena = options.arena;
    this.#fromBytes = options.fromBytes;
    this.#gatherFromBytes = options.gatherFromBytes;
  }

  /**
   * Makes room for an array on every rank of this host.
   * @param length bytes
   * @returns where this rank's lies; undefined, on all ranks of the host alike, if there is no room, or the array is too small to be worth it
   */
  async make(peers: Peers, length: number, use: SharedArrayUse = "reduce"): Promise<SharedRoom | undefined> {
    if (length <= (use === "gather" ? this.#gatherFromBytes : this.#fromBytes)) return undefined;
    const stride = Math.ceil(length / PAGE) * PAGE, offset = this.#place * stride;
    // Counted before it is known whether there is room, which may be on one host and not on another.
    const firstPlace = this.#nextPlace;
    this.#nextPlace += stride / 4;
    // A small one takes little, and leaves the arena no less.
    if (length > this.#fromBytes && !await this.#arena.prepareAll(peers)) return undefined;
    const shared = await shareSegment(peers, {
      sharedMemory: this.#sharedMemory,
      bytes: this.#sharers * stride,
      step: SHARE_STEP,
      prepare: (segment) => segment.reserve(offset, stride),
    });
    if ("refusal" in shared) return undefined;
    const { segment } = shared, buffer = segment.memory.buffer as ArrayBuffer;
    const kernels = compileKernels(segment.memory, { count: this.#sharers, stride });
    const bytes = new Uint8Array(buffer);
    this.#blocks.set(buffer, { segment, bytes, kernels, stride, firstPlace });
    return { buffer, offset };
  }

  /** Where an array that is to be reduced lies, if it is large and this rank's part of one of these. */
  placeOf(data: NumberArray): SharedPlace | undefined {
    return data.byteLength > this.#fromBytes ? this.beginOf(data) : undefined;
  }

  /** Where an array begins, if it is this rank's part of one of these, however short: what is gathered may have another length on each rank. */
  beginOf({ buffer, byteOffset }: DataArray): SharedPlace | undefined {
    const block = this.#blocks.get(buffer), area = block && this.#place * block.stride;
    if (!block || byteOffset < area! || byteOffset >= area! + block.stride || byteOffset % 4 !== 0) return undefined;
    const { bytes, kernels, stride, firstPlace } = block, start = byteOffset - area!;
    // A place has 32 bits in a frame.
    return { bytes, kernels, start, stride, number: 1 + (firstPlace + start / 4) % 0xffff_fffe };
  }

  /** Forgets an array at once, and gives its memory back when what was called before is over. */
  drop(buffer: ArrayBuffer, isOver: Promise<unknown>): void {
    const block = this.#blocks.get(buffer);
    this.#blocks.delete(buffer);
    if (block) isOver.then(() => block.segment.close());
  }

  /** Gives all memory back; nothing is called any more. */
  close(): void {
    for (const { segment } of this.#blocks.values()) segment.close();
    this.#blocks.clear();
  }
}
