import assert from "node:assert/strict";
import { type Action, decide, type RankProcess, type RunState } from "../../launcher/decide.ts";

/** Plays a run against a fake process table and a fake clock. */
class Run {
  processes: RankProcess[];
  signals: string[] = [];
  nowMs = 0;
  stop: RunState["stop"];

  constructor(ranks: number) {
    this.processes = Array.from({ length: ranks }, (_, rank) => ({ rank, alive: true }));
  }

  exit(rank: number, code: number, options: { leaves?: boolean; signal?: string; isEcho?: boolean } = {}): this {
    const { leaves = false, signal, isEcho } = options;
    this.processes[rank] = { rank, exit: { code, signal, atMs: this.nowMs }, alive: leaves, isEcho };
    return this;
  }

  pass(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  signal(name: string): this {
    this.signals.push(name);
    return this;
  }

  /** Decides, and carries it out on the fake table's behalf. */
  next(more: Partial<RunState> = {}): Action {
    const { processes, signals, nowMs, stop } = this;
    const action = decide({ processes, signals, nowMs, stop, graceMs: 10_000, ...more });
    if (action.do === "terminate") {
      this.stop = { reason: action.reason, sinceMs: this.nowMs, signals: this.signals.length };
    }
    if (action.do === "kill") this.stop = { ...this.stop!, killedMs: this.nowMs, signals: this.signals.length };
    return action;
  }
}

Deno.test("a run waits while its ranks run, and finishes when all have exited", () => {
  const run = new Run(2);
  assert.deepEqual(run.next(), { do: "wait", ms: Infinity });
  assert.deepEqual(run.exit(1, 0).next(), { do: "wait", ms: Infinity });
  assert.deepEqual(run.exit(0, 0).next(), { do: "finish" });
});

Deno.test("the earliest failure is the reason to end the others", () => {
  const run = new Run(3);
  run.pass(5).exit(2, 3).pass(1).exit(0, 1);
  assert.deepEqual(run.next(), { do: "terminate", reason: { kind: "failure", rank: 2 } });
  assert.deepEqual(run.next(), { do: "wait", ms: 10_000 });
  assert.deepEqual(run.pass(9_999).next(), { do: "wait", ms: 1 });
  assert.deepEqual(run.exit(1, 143, { signal: "SIGTERM" }).next(), { do: "finish" });
});

Deno.test("what ignores TERM gets KILL when the grace time is over", () => {
  const run = new Run(2);
  run.exit(0, 1).next();
  assert.deepEqual(run.pass(10_000).next(), { do: "kill" });
  assert.equal(run.next().do, "wait");
  assert.deepEqual(run.exit(1, 137, { signal: "SIGKILL" }).next(), { do: "finish" });
});

Deno.test("what not even KILL ends is given up after five seconds", () => {
  const run = new Run(1);
  run.signal("SIGTERM").next();
  run.pass(10_000).next();
  assert.deepEqual(run.pass(4_000).next(), { do: "wait", ms: 1_000 });
  assert.deepEqual(run.pass(1_000).next(), { do: "finish" });
});

Deno.test("the first signal ends the ranks, the second kills them at once", () => {
  const run = new Run(2);
  assert.deepEqual(run.signal("SIGINT").next(), { do: "terminate", reason: { kind: "signal", signal: "SIGINT" } });
  assert.equal(run.next().do, "wait");
  assert.deepEqual(run.signal("SIGINT").next(), { do: "kill" });
});

Deno.test("a signal while the ranks of a failed run are ending kills them at once", () => {
  const run = new Run(2);
  run.exit(0, 1).next();
  assert.deepEqual(run.signal("SIGINT").next(), { do: "kill" });
});

Deno.test("what ranks leave behind is ended after the last of them, not before", () => {
  const run = new Run(2);
  assert.deepEqual(run.exit(0, 0, { leaves: true }).next(), { do: "wait", ms: Infinity });
  assert.deepEqual(run.exit(1, 0).next(), { do: "terminate", reason: { kind: "finished" } });
  assert.deepEqual(run.exit(0, 0).next(), { do: "finish" });
});

Deno.test("a failed rank's children are ended though the rank itself is gone", () => {
  const run = new Run(1);
  assert.equal(run.exit(0, 1, { leaves: true }).next().do, "terminate");
  assert.equal(run.next().do, "wait");
  assert.deepEqual(run.pass(10_000).next(), { do: "kill" });
});

Deno.test("a rank that failed because another did is waited for the other, for a second", () => {
  const run = new Run(3);
  run.exit(2, 1, { isEcho: true });
  assert.deepEqual(run.next(), { do: "wait", ms: 1_000 });
  assert.deepEqual(run.pass(400).exit(0, 3).next(), { do: "terminate", reason: { kind: "failure", rank: 0 } });
  const alone = new Run(2);
  alone.exit(1, 1, { isEcho: true }).next();
  assert.deepEqual(alone.pass(1_000).next(), { do: "terminate", reason: { kind: "failure", rank: 1 } });
  const all = new Run(2);
  all.exit(1, 1, { isEcho: true }).pass(3).exit(0, 1, { isEcho: true });
  assert.deepEqual(all.next(), { do: "terminate", reason: { kind: "failure", rank: 1 } });
  assert.deepEqual(all.next(), { do: "finish" });
});

Deno.test("where all ranks of a host failed because of one on another, its launcher is given a second to tell", () => {
  const run = new Run(2).exit(0, 1, { isEcho: true }).pass(300).exit(1, 1, { isEcho: true });
  const isWhole = false, failedElsewhere = true;
  assert.deepEqual(run.next({ isWhole }), { do: "wait", ms: 700 });
  const told = run.next({ isWhole, failedElsewhere });
  assert.deepEqual(told, { do: "terminate", reason: { kind: "elsewhere" } });
  assert.deepEqual(run.next({ isWhole, failedElsewhere }), { do: "finish" });
  const untold = new Run(1).exit(0, 1, { isEcho: true }).pass(1_000);
  assert.deepEqual(untold.next({ isWhole }), { do: "terminate", reason: { kind: "failure", rank: 0 } });
});

Deno.test("ranks that stopped and saved are no failure", () => {
  const run = new Run(2);
  assert.equal(run.exit(0, 75).next().do, "wait");
  assert.deepEqual(run.exit(1, 75).next(), { do: "finish" });
});

Deno.test("a rank that is stuck ends the run, and after a failure the ranks get KILL sooner", () => {
  const run = new Run(2);
  const stuck = { rank: 1, how: "frozen" } as const;
  assert.deepEqual(run.next({ stuck }), { do: "terminate", reason: { kind: "failure", rank: 1, how: "frozen" } });
  assert.deepEqual(run.next({ failureGraceMs: 3_000 }), { do: "wait", ms: 3_000 });
  assert.deepEqual(run.pass(3_000).next({ failureGraceMs: 3_000 }), { do: "kill" });
});

Deno.test("a run ends when its time is over, and when it failed on another host", () => {
  assert.deepEqual(new Run(1).pass(4).next({ endMs: 10 }), { do: "wait", ms: 6 });
  assert.deepEqual(new Run(1).pass(10).next({ endMs: 10 }), { do: "terminate", reason: { kind: "time" } });
  assert.deepEqual(new Run(1).next({ failedElsewhere: true }), { do: "terminate", reason: { kind: "elsewhere" } });
});
