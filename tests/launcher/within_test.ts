import assert from "node:assert/strict";
import { within } from "../../launcher/within.ts";

Deno.test("a request that is not answered in time fails, and one that is gives its answer", async () => {
  await assert.rejects(within(new Promise(() => {}), 20), { name: "CommTimeoutError" });
  assert.equal(await within(Promise.resolve(7), 20), 7);
});

Deno.test("time in which the process did not run is not held against the one that has to answer", async () => {
  const answer = new Promise<string>((resolve) => setTimeout(() => resolve("here"), 300));
  const asked = within(answer, 200);
  // As one whose machine is busy, or that is stopped.
  const end = performance.now() + 400;
  while (performance.now() < end);
  assert.equal(await asked, "here");
});
