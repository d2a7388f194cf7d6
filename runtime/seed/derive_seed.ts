import { mix32 } from "./mix.ts";

/**
 * A seed made from another one and what it is for, e.g. the epoch, the rank or the index of a sample: the same inputs give the same
 * seed everywhere, different ones give unrelated seeds.
 *
 * @param base a whole number from 0 to 2^53 − 1
 * @param parts whole numbers or names
 * @returns a whole number from 1 to 2^53 − 1. Never 0, which TensorFlow.js takes for "no seed"
 * @throws TypeError if a part is neither a whole number nor a string
 *
 * @example
 * ```ts
 * const epoch = 3, index = 17;
 * const seed = deriveSeed(42, "augment", epoch, index);
 * console.assert(seed === deriveSeed(42, "augment", 3, 17));
 * console.assert(seed !== deriveSeed(42, "augment", 17, 3));
 * ```
 */
export function deriveSeed(base: number, ...parts: (number | string)[]): number {
  let low = 0x243f6a88, high = 0x85a308d3;
  const absorb = (word: number) => {
    low = mix32(low ^ word);
    high = mix32((high + low) ^ Math.imul(word, 0x9e3779b1));
  };
  for (const part of [base, ...parts]) {
    if (typeof part === "string") {
      absorb(part.length);
      for (let i = 0; i < part.length; i++) absorb(part.charCodeAt(i));
      absorb(1);
    } else if (Number.isSafeInteger(part)) {
      absorb(part >>> 0);
      absorb(Math.floor(part / 2 ** 32) >>> 0);
      absorb(0);
    } else {
      throw new TypeError(`A seed is made from whole numbers and strings, but got ${String(part)}`);
    }
  }
  return (high >>> 11) * 2 ** 32 + low || 1;
}
