import assert from "node:assert/strict";
import { ACTIVITY_BYTES, ActivityPage, pageText } from "../../runtime/core/activity_page.ts";

Deno.test("what a rank notes is read by another page over the same bytes", () => {
  const buffer = new ArrayBuffer(ACTIVITY_BYTES);
  const rank = new ActivityPage(buffer), launcher = () => new ActivityPage(buffer.slice(0)).read();
  assert.deepEqual(launcher(), {
    ...{ step: undefined, operation: undefined, collective: undefined, joined: false, progress: 0 },
  });
  rank.setStep(0);
  const outer = rank.enter("trainingStep");
  const inner = rank.enter("backward");
  rank.beginCollective("allReduce", 12);
  rank.waitFor(2, 7);
  rank.joined = true;
  assert.deepEqual(launcher(), {
    ...{ step: 0, operation: "backward", joined: true, progress: 2 },
    collective: { kind: "allReduce", sequence: 12, waitsFor: 2, round: 7 },
  });
  rank.waitFor(-1);
  assert.equal(launcher().collective?.waitsFor, undefined);
  rank.endCollective();
  rank.restore(inner);
  assert.equal(launcher().operation, "trainingStep");
  rank.restore(outer);
  assert.deepEqual([launcher().operation, launcher().collective], [undefined, undefined]);
});

Deno.test("steps that optimizers count give way to steps that are set", () => {
  const page = new ActivityPage();
  page.countStep(4);
  assert.equal(page.read().step, 4);
  page.setStep(2);
  page.countStep(5);
  assert.equal(page.read().step, 2);
});

Deno.test("more names than there is room for, and names that are long, harm nothing", () => {
  const page = new ActivityPage();
  page.enter(`é${"x".repeat(100)}`);
  assert.match(page.read().operation!, /^éx+$/);
  for (let i = 0; i < 200; i++) page.enter(`operation ${i}`);
  assert.equal(page.read().operation, undefined);
  page.enter("operation 7");
  assert.equal(page.read().operation, "operation 7");
});

Deno.test("texts are kept in the page, and one that does not fit is refused", () => {
  const bytes = new Uint8Array(ACTIVITY_BYTES), page = new ActivityPage(bytes.buffer);
  assert.deepEqual([page.notice, page.error], [undefined, undefined]);
  for (const what of ["notice", "error"] as const) {
    const { at, bytes: text } = pageText(what, `{"a":"é ${what}"}`);
    bytes.set(text, at);
    assert.equal(page[what], `{"a":"é ${what}"}`);
  }
  assert.throws(() => pageText("notice", "x".repeat(9_000)), RangeError);
});
