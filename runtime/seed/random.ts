import { splitMix32 } from "./mix.ts";

/** Where a {@linkcode Random} stands in its sequence. Plain values, so that it can lie in a checkpoint. */
export type RandomState = {
  generator: "xoshiro128**";
  /** Four 32-bit words, not all zero. */
  words: number[];
};

const TWO_POW_32 = 2 ** 32;

/**
 * Random numbers that are the same for the same seed on every machine, whatever else draws numbers in the process.
 *
 * The generator is xoshiro128** (D. Blackman and S. Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021; period 2^128 − 1),
 * its state filled from the seed by SplitMix32. Not for secrets.
 *
 * @example
 * ```ts
 * const random = new Random(42);
 * const order = random.permutation(60_000); // Uint32Array
 * const die = 1 + random.integer(6);
 * const state = random.state; // goes into a checkpoint
 * const next = random.uniform();
 * random.state = state;
 * console.assert(random.uniform() === next && order.length === 60_000 && die <= 6);
 * ```
 */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /**
   * @param seed a whole number from 0 to 2^53 − 1
   * @throws RangeError if it is not
   */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`The seed of \`Random\` must be a whole number from 0 to 2^53 - 1, but got ${String(seed)}`);
    }
    // The two halves feed two words each, so that seeds that differ in either give different states.
    const low = seed >>> 0, high = Math.floor(seed / TWO_POW_32) ^ 0x6a09e667;
    const first = splitMix32(low), second = splitMix32(first.state);
    const third = splitMix32(high ^ first.word), fourth = splitMix32(third.state);
    this.#set(first.word, second.word, third.word, fourth.word);
  }

  /** A generator that goes on where another one stood. @throws TypeError if `state` is not the state of a `Random` */
  static from(state: RandomState): Random {
    const random = new Random(0);
    random.state = state;
    return random;
  }

  /** Where it stands. Setting it goes back (or ahead) to there. */
  get state(): RandomState {
    return { generator: "xoshiro128**", words: [this.#a, this.#b, this.#c, this.#d] };
  }

  set state(state: RandomState) {
    const { generator, words } = state ?? {};
    const fits = generator === "xoshiro128**" && Array.isArray(words) && words.length === 4 &&
      words.every((word) => Number.isInteger(word) && word >= 0 && word < TWO_POW_32) &&
      words.some((word) => word !== 0);
    if (!fits) {
      throw new TypeError(
        `A random state is { generator: "xoshiro128**", words: four 32-bit numbers, not all 0 }, but got ${
          JSON.stringify(state)
        }`,
      );
    }
    this.#set(words[0], words[1], words[2], words[3]);
  }

  /** 32 random bits, as a whole number from 0 to 2^32 − 1. */
  bits(): number {
    const scrambled = Math.imul(this.#b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b = (this.#b ^ this.#c) >>> 0;
    this.#a = (this.#a ^ this.#d) >>> 0;
    this.#c = (this.#c ^ shifted) >>> 0;
    this.#d = ((this.#d << 11) | (this.#d >>> 21)) >>> 0;
    return result;
  }

  /** A number in [0, 1), one of 2^53 that are equally likely. */
  uniform(): number {
    return ((this.bits() >>> 5) * 2 ** 26 + (this.bits() >>> 6)) / 2 ** 53;
  }

  /** A number from the standard normal distribution (Box and Muller, 1958). */
  normal(): number {
    // 1 − u lies in (0, 1], where the logarithm is finite.
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /**
   * A whole number from 0 to `bound` − 1, each equally likely.
   * @throws RangeError if `bound` is not a whole number from 1 to 2^32
   */
  integer(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > TWO_POW_32) {
      throw new RangeError(`The bound of \`integer\` must be a whole number from 1 to 2^32, but got ${String(bound)}`);
    }
    // What lies past the last whole multiple of the bound is drawn again: it would favour small numbers.
    const limit = TWO_POW_32 - TWO_POW_32 % bound;
    for (;;) {
      const bits = this.bits();
      if (bits < limit) return bits % bound;
    }
  }

  /** The numbers 0 to `length` − 1 in random order, every order equally likely (Fisher and Yates). */
  permutation(length: number): Uint32Array<ArrayBuffer> {
    if (!Number.isInteger(length) || length < 0 || length > TWO_POW_32) {
      throw new RangeError(
        `The length of a permutation must be a whole number from 0 to 2^32, but got ${String(length)}`,
      );
    }
    const order = new Uint32Array(length);
    for (let i = 0; i < length; i++) order[i] = i;
    return this.shuffle(order);
  }

  /** Puts the items of an array into random order, in place. */
  shuffle<A extends { length: number; [index: number]: unknown }>(items: A): A {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const item = items[i];
      items[i] = items[j];
      items[j] = item;
    }
    return items;
  }

  #set(a: number, b: number, c: number, d: number): void {
    // All zeros is the one state that the generator cannot leave.
    [this.#a, this.#b, this.#c, this.#d] = a | b | c | d ? [a, b, c, d] : [1, 0, 0, 0];
  }
}
