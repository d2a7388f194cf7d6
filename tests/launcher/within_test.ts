import assert from "node:assert/strict";
import { unlessAborted, within } from "../../launcher/within.ts";

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

Deno.test("what is waited for until a signal leaves nothing at one that is never aborted, and ends at once at one that is", async () => {
  const controller = new AbortController(), { signal } = controller;
  let listeners = 0;
  for (const [name, more] of [["addEventListener", 1], ["removeEventListener", -1]] as const) {
    const original = signal[name].bind(signal) as (...args: unknown[]) => void;
    signal[name] = (...args: unknown[]) => void (listeners += more, original(...args));
  }
  for (let i = 0; i < 3; i++) assert.equal(await unlessAborted(Promise.resolve(i), signal), i);
  assert.equal(listeners, 0);
  const waiting = unlessAborted(new Promise(() => {}), signal);
  assert.equal(listeners, 1);
  controller.abort();
  assert.equal(await waiting, undefined);
  assert.equal(listeners, 0);
});
