import assert from "node:assert/strict";
import { sleep, systemClock } from "../../runtime/core/clock.ts";

Deno.test("a sleep ends when its signal is aborted, and at once if it was before", async () => {
  const waking = new AbortController();
  const sleeping = sleep(2 ** 31, { signal: waking.signal });
  waking.abort();
  await sleeping;
  await sleep(2 ** 31, { signal: waking.signal });
});

Deno.test("a timer that is cancelled does not call back", async () => {
  const cancelled = Promise.withResolvers<string>();
  systemClock.after(0, () => cancelled.resolve("called"))();
  await sleep(1);
  cancelled.resolve("not called");
  assert.equal(await cancelled.promise, "not called");
});
