/** xoshiro128** (Blackman and Vigna), seeded by splitmix32. */
export class Random {
  #s = new Uint32Array(4);

  constructor(seed: number) {
    let x = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.#s[i] = z ^ (z >>> 15);
    }
  }

  #next(): number {
    const s = this.#s;
    const five = Math.imul(s[1], 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** From 0 inclusive to 1 exclusive. */
  uniform(): number {
    return (this.#next() >>> 5) / 2 ** 27;
  }

  /** From 0 to n - 1, without bias. */
  integer(n: number): number {
    const limit = 2 ** 32 - 2 ** 32 % n;
    let x = this.#next();
    while (x >= limit) x = this.#next();
    return x % n;
  }

  /** 0 to n - 1 in random order. */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

/** A seed for a part of the work, from 0 to 2^32 - 1. */
export function deriveSeed(base: number, ...parts: number[]): number {
  let hash = base >>> 0;
  for (const part of parts) {
    hash = Math.imul(hash ^ (part >>> 0), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash = (hash ^ (hash >>> 16)) + 0x9e3779b9 | 0;
  }
  return hash >>> 0;
}
