import type { Head } from "./frame.ts";

/** A frame that arrived. It is the transport's own and lasts until the next call of receive or release. */
export interface Arrival {
  readonly head: Head;
  /** Aligned to 8 bytes. */
  readonly payload: Uint8Array;
  /** The payload has another length than its head says. */
  readonly isCut: boolean;
}

/**
 * Moves frames between the ranks of a group. The collectives know this interface only.
 *
 * What it promises: a frame arrives whole or not at all, and unchanged (`isCut` tells of one that is not whole). What it should do,
 * and does as long as a connection lasts: frames from one rank to another arrive once, in the order they were sent. When a connection breaks and is
 * made again, frames may be missing, and {@linkcode NumberedFrames} sees that by their numbers: a repeated one changes nothing, a missing or
 * overtaken one ends the collective with ConnectionLostError. Between different ranks there is no order.
 */
export interface Transport {
  readonly rank: number;
  readonly worldSize: number;
  /**
   * Queues a frame; never waits.
   * @param inPlace the payload is not copied: it stays alive and unchanged until its receiver has said that he has it
   */
  send(to: number, head: Head, payload: Uint8Array, inPlace: boolean): void;
  /** The next frame, if one is there. Whatever is no frame was dropped. */
  receive(): Arrival | undefined;
  /** Gives back the frame that was received last. */
  release(): void;
  /** True if {@linkcode waitBriefly} waits at all. */
  readonly isQuick: boolean;
  /** Waits for a frame without giving up the thread, for a fraction of a millisecond. Returns whether one may be there. */
  waitBriefly(): boolean;
  /** Waits until a frame may be there, {@linkcode wake} is called, `timeoutMs` have passed, or earlier. */
  wait(timeoutMs: number): Promise<void>;
  wake(): void;
  /** Ends the transport; what is queued is sent within `lingerMs`, or dropped. */
  close(lingerMs: number): Promise<void>;
  /** The same, blocking: for a process that ends. */
  closeNow(lingerMs: number): void;
}
