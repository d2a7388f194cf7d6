import assert from "node:assert/strict";
import { describeActivity } from "../../launcher/describe_activity.ts";
import { failureReport } from "../../launcher/failure_report.ts";
import { MEETING } from "../../runtime/core/activity.ts";

const activity = (facts: object) => ({ joined: true, progress: 0, ...facts });

Deno.test("what a rank was doing is put into words, as far as it is known", () => {
  const collective = { kind: "allReduce", sequence: 9, waitsFor: 1 };
  assert.equal(
    describeActivity({ step: 4, operation: "backward", collective }),
    "at step 4, in backward, waiting for rank 1 in allReduce",
  );
  assert.equal(
    describeActivity({ collective: { ...collective, waitsFor: undefined } }),
    "waiting for the others in allReduce",
  );
  assert.equal(describeActivity({ operation: MEETING }), "meeting the other ranks");
  assert.equal(describeActivity({}), "");
  assert.equal(describeActivity(undefined), "");
});

Deno.test("a report names the first failure, its place, and what the others did", () => {
  const text = failureReport({
    cause: { rank: 1, how: "frozen", exitCode: 69, host: "node7", activity: activity({ step: 4 }) },
    reason: { kind: "failure", rank: 1, how: "frozen" },
    ended: [{ rank: 0, signal: "SIGTERM" }],
    others: [{ rank: 0, activity: activity({ step: 4, operation: "backward" }) }, { rank: 2, activity: activity({}) }],
    hint: "a hint",
  });
  assert.equal(
    text,
    [
      "weft: rank 1 did not run any more (it was stopped by a signal, or its machine froze it), and was the first to fail",
      "  on node7, at step 4",
      "  a hint",
      "weft: meanwhile",
      "  rank 0: at step 4, in backward",
      "weft: the launcher ended the others: rank 0 by SIGTERM",
    ].join("\n"),
  );
});

Deno.test("where a host is lost, what the ranks of this one did is told", () => {
  const others = [{ rank: 0, activity: activity({ step: 4, operation: "backward" }) }];
  const ended = [{ rank: 0, signal: "SIGTERM" }];
  assert.equal(
    failureReport({ reason: { kind: "elsewhere" }, ended, others }),
    "weft: meanwhile\n  rank 0: at step 4, in backward\nweft: the launcher ended the ranks: rank 0 by SIGTERM",
  );
});

Deno.test("of very many ranks only some are listed", () => {
  const others = Array.from({ length: 40 }, (_, i) => ({ rank: i + 1, activity: activity({ step: i }) }));
  const text = failureReport({ cause: { rank: 0, how: "failed", exitCode: 1 }, ended: [], others });
  assert.match(text, / {2}rank 16: at step 15\n {2}… and 24 more$/);
});

Deno.test("a run that went well is not talked about", () => {
  assert.equal(failureReport({ ended: [] }), "");
});
