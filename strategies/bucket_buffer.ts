import type { SharedArray } from "../runtime/comm/process_group.ts";
import type { Bucket } from "./bucket_plan.ts";
import { RankFlags } from "./rank_flags.ts";

/**
 * A bucket's memory: the gradients, then one number a variable that tells whether this rank has a gradient for it. In the first bucket follow the
 * ranks' numbers of samples, in the last their flags and waits.
 */
export class BucketBuffer {
  readonly bucket: Bucket;
  readonly #tail: { samples: number; flags: number; waits: number };
  #data: Float32Array<ArrayBuffer>;
  #shared: SharedArray<Float32Array<ArrayBuffer>> | undefined;

  constructor(bucket: Bucket, place: { isFirst: boolean; isLast: boolean; worldSize: number }) {
    const { isFirst, isLast, worldSize } = place;
    this.bucket = bucket;
    this.#tail = {
      samples: isFirst ? worldSize : 0,
      flags: isLast ? RankFlags.length : 0,
      waits: isLast ? worldSize : 0,
    };
    const { samples, flags, waits } = this.#tail;
    this.#data = new Float32Array(bucket.length + bucket.slots.length + samples + flags + waits);
  }

  get data(): Float32Array<ArrayBuffer> {
    return this.#data;
  }

  /** The part of `data` with the gradients. */
  get gradients(): Float32Array<ArrayBuffer> {
    return this.#data.subarray(0, this.bucket.length);
  }

  get samples(): Float32Array | undefined {
    return this.#part(0, this.#tail.samples);
  }

  get flags(): Float32Array | undefined {
    return this.#part(this.#tail.samples, this.#tail.flags);
  }

  get waits(): Float32Array | undefined {
    return this.#part(this.#tail.samples + this.#tail.flags, this.#tail.waits);
  }

  /** Moves into another memory of the same length, which is this bucket's from now on. */
  moveTo(shared: SharedArray<Float32Array<ArrayBuffer>>): void {
    shared.data.set(this.#data);
    this.#shared?.[Symbol.dispose]();
    this.#shared = shared;
    this.#data = shared.data;
  }

  /** Gives back what it moved into. */
  [Symbol.dispose](): void {
    this.#shared?.[Symbol.dispose]();
  }

  #part(start: number, length: number): Float32Array | undefined {
    const at = this.bucket.length + this.bucket.slots.length + start;
    return length > 0 ? this.#data.subarray(at, at + length) : undefined;
  }
}
