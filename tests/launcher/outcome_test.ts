import assert from "node:assert/strict";
import type { RankExit } from "../../launcher/decide.ts";
import { outcomeOf } from "../../launcher/outcome.ts";
import type { RankError } from "../../launcher/rank_error.ts";

const run = (...exits: RankExit[]) => exits.map((exit, rank) => ({ rank, exit, alive: false }));
const thrown = (rank: number, name: string, time: number): [number, RankError] => [
  rank,
  { rank, name, message: "m", stack: "s", time },
];
const FAILURE = { kind: "failure", rank: 0 } as const;

Deno.test("a run whose ranks all exit with 0 ends with 0", () => {
  assert.deepEqual(outcomeOf({ processes: run({ code: 0, atMs: 1 }, { code: 0, atMs: 2 }), errors: new Map() }), {
    exitCode: 0,
    cause: undefined,
  });
});

Deno.test("the launcher exits with the code of the earliest failure", () => {
  const processes = run({ code: 5, atMs: 9 }, { code: 3, atMs: 7 });
  const { exitCode, cause } = outcomeOf({ processes, errors: new Map(), reason: FAILURE, stoppedMs: 10 });
  assert.deepEqual([exitCode, cause?.rank], [3, 1]);
});

Deno.test("a rank that a signal killed counts 128 and the signal", () => {
  const processes = run({ code: 137, signal: "SIGKILL", atMs: 1 }, { code: 143, signal: "SIGTERM", atMs: 6 });
  const { exitCode, cause } = outcomeOf({ processes, errors: new Map(), reason: FAILURE, stoppedMs: 5 });
  assert.deepEqual([exitCode, cause?.rank, cause?.signal], [137, 0, "SIGKILL"]);
});

Deno.test("a rank that failed because a peer did is not the cause, though it exited first", () => {
  const processes = run({ code: 1, atMs: 1 }, { code: 4, atMs: 6 });
  const errors = new Map([thrown(0, "RankFailedError", 100), thrown(1, "Error", 200)]);
  assert.equal(outcomeOf({ processes, errors, reason: FAILURE, stoppedMs: 5 }).cause?.rank, 1);
});

Deno.test("of two ranks that threw, the one that threw first is the cause", () => {
  const processes = run({ code: 1, atMs: 3 }, { code: 1, atMs: 4 });
  const errors = new Map([thrown(0, "Error", 200), thrown(1, "Error", 100)]);
  assert.equal(outcomeOf({ processes, errors, reason: FAILURE, stoppedMs: 5 }).cause?.rank, 1);
});

Deno.test("a rank that threw but was ended before it could exit is a cause with code 1", () => {
  const processes = run({ code: 1, atMs: 3 }, { code: 143, signal: "SIGTERM", atMs: 6 });
  const errors = new Map([thrown(0, "RankFailedError", 100), thrown(1, "Error", 90)]);
  const { exitCode, cause } = outcomeOf({ processes, errors, reason: FAILURE, stoppedMs: 5 });
  assert.deepEqual([exitCode, cause?.rank, cause?.signal], [1, 1, undefined]);
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test(`a run that ${signal} ended exits with ${code}, even if its ranks ended well`, () => {
    const outcome = outcomeOf({
      processes: run({ code: 0, atMs: 9 }),
      errors: new Map(),
      reason: { kind: "signal", signal },
      stoppedMs: 5,
    });
    assert.deepEqual(outcome, { exitCode: code });
  });
}
