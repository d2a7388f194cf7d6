import { fc } from "./deps.ts";

/** WEFT_FUZZ multiplies the runs; WEFT_FUZZ_SEED replays those that a failure names. */
const factor = Number(Deno.env.get("WEFT_FUZZ") ?? 1), seed = Deno.env.get("WEFT_FUZZ_SEED");

/** How often a property is tried. */
export function runs(count: number): fc.Parameters<unknown> {
  return { numRuns: Math.max(1, Math.round(count * factor)), seed: seed === undefined ? undefined : Number(seed) };
}

/** Bytes of a valid message, some of which were changed, removed, or followed by others. */
export function damaged(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const changes = fc.array(fc.tuple(fc.nat(1 << 16), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });
  return fc.tuple(valid, changes, fc.integer({ min: 0, max: 4 }), fc.uint8Array({ maxLength: 8 })).map(
    ([bytes, changes, cut, more]) => {
      const copy = new Uint8Array([...bytes.subarray(0, bytes.length - Math.min(cut, bytes.length)), ...more]);
      for (const [place, value] of changes) if (copy.length > 0) copy[place % copy.length] = value;
      return copy;
    },
  );
}
