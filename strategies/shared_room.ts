import type { ProcessGroup, SharedArray, SharedArrayOptions } from "../runtime/comm/process_group.ts";

/**
 * Memory for what ranks exchange piece by piece, again and again: it lies where they share it, if they can, and is as large as the largest piece. Otherwise each
 * piece gets an array of its own.
 */
export class SharedRoom {
  readonly #group: ProcessGroup;
  readonly #options: SharedArrayOptions;
  #array: SharedArray<Float32Array<ArrayBuffer>> | undefined;
  /** For how many numbers the ranks were asked. */
  #asked = 0;

  constructor(group: ProcessGroup, options: SharedArrayOptions) {
    this.#group = group;
    this.#options = options;
  }

  /** Makes room for pieces of up to `length` numbers. Every rank asks for as much; waits for them if that is more than before, whose content is lost then. */
  async reserve(length: number): Promise<void> {
    if (length <= this.#asked) return;
    this.#asked = length;
    this.#array?.[Symbol.dispose]();
    const array = await this.#group.sharedArray(Float32Array<ArrayBuffer>, length, this.#options);
    this.#array = array.isShared ? array : undefined;
  }

  /** An array of so many numbers, which are not zeros, until it is asked again. */
  take(length: number): Float32Array<ArrayBuffer> {
    return this.#array?.data.subarray(0, length) ?? new Float32Array(length);
  }
}
