/** MurmurHash3's finaliser (A. Appleby): spreads every bit of a 32-bit number over all of them. */
export function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The next word of a SplitMix32 sequence, and the state after it. */
export function splitMix32(state: number): { word: number; state: number } {
  const next = (state + 0x9e3779b9) >>> 0;
  return { word: mix32(next), state: next };
}
