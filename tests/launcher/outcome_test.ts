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
    category: "finished",
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

Deno.test("a rank that ends by itself with TERM's code after it got TERM is no cause", () => {
  const processes = run({ code: 143, atMs: 6 }, { code: 143, atMs: 7 });
  const outcome = outcomeOf({ processes, errors: new Map(), reason: { kind: "elsewhere" }, stoppedMs: 5 });
  assert.deepEqual(outcome, { exitCode: 69, category: "infrastructure" });
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
    assert.deepEqual(outcome, { exitCode: code, category: "stopped" });
  });
}

Deno.test("ranks that stopped and saved make a run that can go on, whatever stopped them", () => {
  const processes = run({ code: 75, atMs: 9 }, { code: 0, atMs: 9 });
  for (const reason of [{ kind: "signal", signal: "SIGTERM" }, { kind: "time" }, undefined] as const) {
    assert.deepEqual(outcomeOf({ processes, errors: new Map(), reason, stoppedMs: 5 }), {
      exitCode: 75,
      category: "resumable",
    });
  }
  const one = run({ code: 75, atMs: 9 }, { code: 143, signal: "SIGTERM", atMs: 9 });
  const reason = { kind: "signal", signal: "SIGTERM" } as const;
  assert.equal(outcomeOf({ processes: one, errors: new Map(), reason, stoppedMs: 5 }).exitCode, 143);
});

Deno.test("a run whose time is over without a checkpoint exits as timeout does", () => {
  const processes = run({ code: 143, signal: "SIGTERM", atMs: 9 });
  assert.equal(outcomeOf({ processes, errors: new Map(), reason: { kind: "time" }, stoppedMs: 5 }).exitCode, 124);
});

for (
  const [how, code, category] of [["frozen", 69, "infrastructure"], ["cut off", 69, "infrastructure"], [
    "left",
    1,
    "rank",
  ]] as const
) {
  Deno.test(`a rank that is ${how} is the cause, although the launcher ended it`, () => {
    const processes = run({ code: 143, signal: "SIGTERM", atMs: 9 }, { code: 143, signal: "SIGTERM", atMs: 9 });
    const reason = { kind: "failure", rank: 1, how } as const;
    const { exitCode, cause, ...rest } = outcomeOf({ processes, errors: new Map(), reason, stoppedMs: 5 });
    assert.deepEqual([exitCode, rest.category, cause?.rank, cause?.how], [code, category, 1, how]);
  });
}

Deno.test("a rank whose peers did not come, or whose messages were lost, is told apart from one that failed by itself", () => {
  for (const name of ["CommTimeoutError", "ConnectionLostError"]) expectInfrastructure(name);
});

function expectInfrastructure(name: string): void {
  const errors = new Map([thrown(0, name, 100)]);
  const { exitCode, category } = outcomeOf({
    processes: run({ code: 1, atMs: 1 }),
    errors,
    reason: FAILURE,
    stoppedMs: 5,
  });
  assert.deepEqual([exitCode, category], [69, "infrastructure"]);
}

Deno.test("a clock that somebody set does not change which error was first", () => {
  const processes = run({ code: 1, atMs: 3 }, { code: 1, atMs: 4 });
  const [first, second] = [thrown(1, "Error", 9_000_000), thrown(0, "Error", 100)];
  const errors = new Map([
    [1, { ...first[1], sharedTime: 50 }],
    [0, { ...second[1], sharedTime: 60 }],
  ]);
  assert.equal(outcomeOf({ processes, errors, reason: FAILURE, stoppedMs: 5 }).cause?.rank, 1);
});

Deno.test("a rank whose kill ended the run is its cause, also if both happened in the same moment", () => {
  const processes = run({ code: 137, signal: "SIGKILL", atMs: 5 }, { code: 1, atMs: 6 });
  const errors = new Map([thrown(1, "RankFailedError", 6)]);
  const { exitCode, cause } = outcomeOf({ processes, errors, reason: FAILURE, stoppedMs: 5 });
  assert.deepEqual([exitCode, cause?.rank], [137, 0]);
});
