import assert from "node:assert/strict";
import { memoryHint, oomKills } from "../../launcher/out_of_memory.ts";

const NONE = { before: 0, after: 0 };

Deno.test("a KILL that the kernel counts as one for lack of memory is told as that", () => {
  const killed = { signal: "SIGKILL", errorTail: "" };
  assert.match(memoryHint(killed, { before: 1, after: 2 })!, /kernel killed a process here for lack of memory/);
  assert.equal(memoryHint(killed, { before: 2, after: 2 }), undefined);
  assert.equal(memoryHint(killed, { before: undefined, after: undefined }), undefined);
});

Deno.test("V8's full heap is known by the trap and what it wrote before", () => {
  const errorTail = "#\n# Fatal JavaScript out of memory: Reached heap limit\n#";
  assert.match(memoryHint({ signal: "SIGTRAP", errorTail }, NONE)!, /--max-old-space-size/);
  assert.equal(memoryHint({ signal: "SIGTRAP", errorTail: "" }, NONE), undefined);
  assert.equal(memoryHint({ signal: "SIGTERM", errorTail }, NONE), undefined, "the launcher ended it");
});

Deno.test("an array buffer that could not be had is told as a lack of memory, another error is not", () => {
  const message = "Array buffer allocation failed";
  assert.match(memoryHint({ errorTail: "", message }, NONE)!, /smaller batches/);
  assert.equal(memoryHint({ errorTail: "", message: "the batch is empty" }, NONE), undefined);
});

Deno.test("the kernel's count is a number where it is told", async () => {
  const count = await oomKills();
  assert(count === undefined || count >= 0, String(count));
});
