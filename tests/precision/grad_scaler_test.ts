import assert from "node:assert/strict";
import { GradScaler } from "../../runtime/precision/grad_scaler.ts";

/** The scale after each step; `x` stands for one whose gradients were not finite. */
function scales(scaler: GradScaler, steps: string): number[] {
  return [...steps].map((step) => (scaler.update({ nonFinite: step === "x" }), scaler.scale));
}

Deno.test("the scale begins at 65536, is halved by a step that is not finite and doubled after 2000 that are", () => {
  const scaler = new GradScaler();
  assert.equal(scaler.scale, 65_536);
  assert.deepEqual(scales(scaler, "x"), [32_768]);
  assert.deepEqual(new Set(scales(scaler, ".".repeat(1999))), new Set([32_768]));
  assert.deepEqual(scales(scaler, "."), [65_536]);
});

Deno.test("a step that is not finite begins the count of good steps anew", () => {
  const scaler = new GradScaler({ initScale: 8, growthInterval: 3, growthFactor: 4, backoffFactor: 0.25 });
  assert.deepEqual(scales(scaler, "..x...x"), [8, 8, 2, 2, 2, 8, 2]);
});

Deno.test("the scale stays a number that gradients can be divided by", () => {
  const low = new GradScaler(), high = new GradScaler({ growthInterval: 1 });
  assert.equal(scales(low, "x".repeat(300)).at(-1), 2 ** -126);
  assert.equal(scales(high, ".".repeat(300)).at(-1), 2 ** 126);
});

Deno.test("a scaler goes on from its state", () => {
  const first = new GradScaler({ growthInterval: 3 }), second = new GradScaler({ growthInterval: 3 });
  scales(first, "x..");
  second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())));
  assert.deepEqual(second.stateDict(), { scale: 32_768, growthTracker: 2 });
  assert.deepEqual(scales(second, "."), [65_536]);
});

Deno.test("options out of range and broken state are errors that name the option", () => {
  assert.throws(() => new GradScaler({ initScale: 0 }), /RangeError.*`initScale`/);
  assert.throws(() => new GradScaler({ growthFactor: 1 }), /RangeError.*`growthFactor` must be above 1/);
  assert.throws(() => new GradScaler({ backoffFactor: 1 }), /RangeError.*`backoffFactor`/);
  assert.throws(() => new GradScaler({ growthInterval: 1.5 }), /RangeError.*`growthInterval`/);
  assert.throws(() => new GradScaler({ scale: 1 } as object), /TypeError|unknown option|`scale`/);
  for (const state of [{}, { scale: -1, growthTracker: 0 }, { scale: 1, growthTracker: "0" }]) {
    assert.throws(() => new GradScaler().loadStateDict(state), /TypeError.*GradScaler/);
  }
});
