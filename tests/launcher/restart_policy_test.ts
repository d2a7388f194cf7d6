import assert from "node:assert/strict";
import type { FailureCause, Outcome } from "../../launcher/outcome.ts";
import { afterGeneration, type RestartState } from "../../launcher/restart_policy.ts";

const cause = (step: number | undefined, facts: Partial<FailureCause> = {}): FailureCause => ({
  ...{ rank: 1, how: "failed", exitCode: 137, signal: "SIGKILL", activity: { step, joined: true, progress: 0 } },
  ...facts,
});
const failed = (cause: FailureCause): Outcome => ({ exitCode: cause.exitCode, category: "rank", cause });
const state = (facts: Partial<RestartState> = {}): RestartState => ({
  ...{ outcome: failed(cause(7)), restarts: 0, maxRestarts: 3, isStopped: false, delayMs: 1_000 },
  ...facts,
});

Deno.test("a run that failed is started again, each time later, but never more than half a minute", () => {
  const delays = [0, 1, 2, 9].map((restarts) => afterGeneration(state({ restarts, maxRestarts: 10 })));
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 30_000].map((delayMs) => ({ do: "restart", delayMs })));
});

Deno.test("it is not when it ended well, was stopped, may not be, or has been often enough", () => {
  const finished: Outcome = { exitCode: 0, category: "finished" };
  const resumable: Outcome = { exitCode: 75, category: "resumable" };
  assert.deepEqual(afterGeneration(state({ outcome: finished })), { do: "end" });
  assert.deepEqual(afterGeneration(state({ outcome: resumable })), { do: "end" });
  assert.deepEqual(afterGeneration(state({ isStopped: true })), { do: "end" });
  assert.deepEqual(afterGeneration(state({ maxRestarts: 0 })), { do: "end" });
  const last = afterGeneration(state({ restarts: 3 }));
  assert.deepEqual(last, { do: "end", why: "it was restarted 3 times, which is all it may be" });
});

Deno.test("what fails twice at the same step in the same way is not tried a third time", () => {
  const next = afterGeneration(state({ before: cause(7), restarts: 1 }));
  assert.deepEqual(next, {
    do: "end",
    why: "it failed at step 7 twice in the same way: a restart would not help",
  });
});

Deno.test("another step, another signal or another error is another failure", () => {
  for (
    const before of [
      ...[cause(6), cause(7, { signal: "SIGSEGV" }), cause(7, { exitCode: 1, signal: undefined })],
      cause(7, { error: { rank: 1, name: "Error", message: "m", stack: "s", time: 0 } }),
    ]
  ) assert.equal(afterGeneration(state({ before, restarts: 1 })).do, "restart");
});

Deno.test("numbers in an error's message do not make it another one", () => {
  const of = (message: string) => cause(undefined, { error: { rank: 1, name: "Error", message, stack: "s", time: 0 } });
  const next = afterGeneration(state({ outcome: failed(of("port 4711")), before: of("port 4712"), restarts: 1 }));
  assert.match((next as { why: string }).why, /before the first step twice/);
});
