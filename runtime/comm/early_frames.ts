import { Head, HEAD_BYTES } from "./frame.ts";

/** A payload that came early: for the next collective, or for a later step of this one. */
export interface EarlyFrame {
  readonly head: Head;
  readonly payload: Uint8Array;
}

/** What a kept frame takes besides its payload, so that empty ones count too. */
const FRAME_BYTES = 512;

/** Copies of frames that nobody has asked for yet, up to a limit for each rank: one that runs wild must not fill this one's memory. */
export class EarlyFrames {
  readonly #maxBytes: number;
  /** By rank. */
  readonly #bytes: Float64Array;
  #frames: EarlyFrame[] = [];

  constructor(worldSize: number, maxBytes: number) {
    this.#bytes = new Float64Array(worldSize);
    this.#maxBytes = maxBytes;
  }

  /** @throws RangeError if its rank has sent too much ahead */
  keep(head: Head, payload: Uint8Array): void {
    const bytes = this.#bytes[head.source] + payload.byteLength + FRAME_BYTES;
    if (bytes > this.#maxBytes) {
      throw new RangeError(
        `rank ${head.source} has sent more than ${this.#maxBytes} bytes that this rank has not come to yet. ` +
          `If its arrays are that large, raise maxEarlyBytes or reduce them in parts`,
      );
    }
    this.#bytes[head.source] = bytes;
    this.#frames.push({ head: new Head(head.bytes.slice(0, HEAD_BYTES).buffer), payload: payload.slice() });
  }

  /** Takes out the frame of this step of a collective. */
  take(sequence: number, from: number, step: number): EarlyFrame | undefined {
    for (let i = 0; i < this.#frames.length; i++) {
      const { head } = this.#frames[i];
      if (head.sequence === sequence && head.source === from && head.step === step) return this.#takeOut(i);
    }
    return undefined;
  }

  /** Takes out the first frame of any step below `limit`, of any rank. */
  takeAny(sequence: number, limit: number): EarlyFrame | undefined {
    for (let i = 0; i < this.#frames.length; i++) {
      const { head } = this.#frames[i];
      if (head.sequence === sequence && head.step < limit) return this.#takeOut(i);
    }
    return undefined;
  }

  /** Drops what is for collectives before this one, and returns the heads of the others. */
  from(sequence: number): Head[] {
    this.#frames = this.#frames.filter((frame) => {
      if (frame.head.sequence >= sequence) return true;
      this.#discount(frame);
      return false;
    });
    return this.#frames.map(({ head }) => head);
  }

  clear(): void {
    this.#frames = [];
    this.#bytes.fill(0);
  }

  #takeOut(index: number): EarlyFrame {
    const [frame] = this.#frames.splice(index, 1);
    this.#discount(frame);
    return frame;
  }

  #discount({ head, payload }: EarlyFrame): void {
    this.#bytes[head.source] -= payload.byteLength + FRAME_BYTES;
  }
}
