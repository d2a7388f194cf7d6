import type { EpochSampler, Sized } from "./sampler.ts";
import { checkEpoch } from "./sampler.ts";

/** 0 to length - 1 in this order, every epoch. */
export class SequentialSampler implements EpochSampler {
  readonly #source: Sized;
  #epoch = 0;

  constructor(source: Sized) {
    this.#source = source;
  }

  get length(): number {
    return this.#source.length;
  }

  get epoch(): number {
    return this.#epoch;
  }

  setEpoch(epoch: number): void {
    this.#epoch = checkEpoch("SequentialSampler", epoch);
  }

  indices(): Uint32Array {
    return Uint32Array.from({ length: this.length }, (_, i) => i);
  }

  [Symbol.iterator](): Iterator<number> {
    return this.indices()[Symbol.iterator]();
  }
}
