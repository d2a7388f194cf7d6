import assert from "node:assert/strict";
import { DDPStrategy } from "../../strategies/ddp.ts";
import { resolveStrategy } from "../../strategies/resolve.ts";
import type { StrategyName } from "../../strategies/strategy.ts";

Deno.test("auto is one device for one rank and ddp for several", () => {
  assert.equal(resolveStrategy(undefined, 1).name, "single_device");
  assert.equal(resolveStrategy("auto", 2).name, "ddp");
});

Deno.test("dp splits the batch, ddp does not, and case does not matter", () => {
  assert.equal(resolveStrategy("DP" as StrategyName, 2).splitsBatch, true);
  assert.equal(resolveStrategy("ddp", 2).splitsBatch, false);
});

Deno.test("a strategy object is taken as it is", () => {
  const strategy = new DDPStrategy();
  assert.equal(resolveStrategy(strategy, 1), strategy);
});

Deno.test("an unknown name is an error that lists the names and suggests one", () => {
  assert.throws(
    () => resolveStrategy("dpp" as StrategyName, 2),
    /Did you mean "dd?p"\?.*auto, ddp, dp, local_sgd, single_device/s,
  );
});

Deno.test("single_device with several ranks is an error", () => {
  assert.throws(() => resolveStrategy("single_device", 2), RangeError);
});
