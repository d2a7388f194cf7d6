import assert from "node:assert/strict";
import { findStuck } from "../../launcher/find_stuck.ts";
import type { Observation } from "../../launcher/rank_watch.ts";
import { MEETING } from "../../runtime/core/activity.ts";

const OPTIONS = { heartbeatMs: 10_000, isWhole: true };
const rank = (rank: number, facts: Partial<Observation> = {}): Observation => ({
  ...{ rank, endedMs: 0, stoppedMs: 0, idleMs: 0, activity: { joined: true, progress: 1 } },
  ...facts,
});
const waits = (waitsFor: number | undefined, sequence = 5): Observation["activity"] => ({
  ...{ joined: true, progress: 1, collective: { kind: "allReduce", sequence, waitsFor } },
});

Deno.test("a rank that computes is never stuck, nor are those that wait for it", () => {
  const ranks = [rank(0, { idleMs: 1e9, activity: waits(1) }), rank(1)];
  assert.equal(findStuck(ranks, OPTIONS), undefined);
});

Deno.test("a rank that is kept from running is frozen after the heartbeat's timeout", () => {
  const ranks = (stoppedMs: number) => [rank(0, { idleMs: stoppedMs, activity: waits(1) }), rank(1, { stoppedMs })];
  assert.equal(findStuck(ranks(9_999), OPTIONS), undefined);
  assert.deepEqual(findStuck(ranks(10_000), OPTIONS), { rank: 1, how: "frozen" });
});

Deno.test("a rank that exited with 0 is missed once another waits for it and nothing comes", () => {
  const gone = rank(1, { exitCode: 0, endedMs: 3_000 });
  assert.equal(findStuck([rank(0, { idleMs: 2_999, activity: waits(1) }), gone], OPTIONS), undefined);
  assert.deepEqual(findStuck([rank(0, { idleMs: 3_000, activity: waits(1) }), gone], OPTIONS), {
    rank: 1,
    how: "left",
  });
  assert.equal(findStuck([rank(0), gone], OPTIONS), undefined, "nobody waits");
});

Deno.test("of a chain of ranks that wait, the one at its end that left is named", () => {
  const ranks = [
    rank(0, { idleMs: 5_000, activity: waits(2) }),
    rank(1, { exitCode: 0, endedMs: 5_000 }),
    rank(2, { idleMs: 5_000, activity: waits(1) }),
  ];
  assert.deepEqual(findStuck(ranks, OPTIONS), { rank: 1, how: "left" });
});

Deno.test("a rank that exited with 0 before it met the others is missed by those that wait to meet it", () => {
  const gone = rank(1, { exitCode: 0, endedMs: 3_000, activity: { joined: false, progress: 0 } });
  const meeting = { operation: MEETING, joined: false, progress: 0 };
  assert.deepEqual(findStuck([rank(0, { activity: meeting }), gone], OPTIONS), { rank: 1, how: "left" });
  assert.equal(findStuck([rank(0, { activity: { ...meeting, operation: undefined } }), gone], OPTIONS), undefined);
});

Deno.test("where all wait and nothing arrives, a connection is lost: that of the rank that most wait for, or that is farthest behind", () => {
  const all = (...sequences: number[]) =>
    sequences.map((sequence, index) => rank(index, { idleMs: 10_000, activity: waits(index === 2 ? 0 : 2, sequence) }));
  assert.deepEqual(findStuck(all(5, 5, 5), OPTIONS), { rank: 2, how: "cut off" });
  const two = [rank(0, { idleMs: 10_000, activity: waits(1, 6) }), rank(1, { idleMs: 10_000, activity: waits(0, 5) })];
  assert.deepEqual(findStuck(two, OPTIONS), { rank: 1, how: "cut off" });
  assert.equal(findStuck(all(5, 5, 5), { ...OPTIONS, isWhole: false }), undefined, "others are elsewhere");
  assert.equal(findStuck([...all(5, 5), rank(2, { idleMs: 9_000, activity: waits(0) })], OPTIONS), undefined);
});

Deno.test("ranks that wait for those whose connection is lost are not named, however many they are", () => {
  const at = (sequence: number, waitsFor: number, round: number): Observation["activity"] => ({
    ...{ joined: true, progress: 1, collective: { kind: "allReduce", sequence, waitsFor, round } },
  });
  const all = (...activities: Observation["activity"][]) =>
    findStuck(activities.map((activity, index) => rank(index, { idleMs: 10_000, activity })), OPTIONS);
  // 2 and 3 wait for each other, 1 and 4 for 0, which waits for 2.
  const most = all(at(5, 2, 9), at(5, 0, 20), at(5, 3, 1), at(4, 2, 1), at(5, 0, 20));
  assert.deepEqual(most, { rank: 3, how: "cut off" });
  // All three are in the circle: what 1 needs, 2 has sent before it came to where it is.
  assert.deepEqual(all(at(5, 1, 7), at(5, 2, 1), at(5, 0, 20)), { rank: 1, how: "cut off" });
});

Deno.test("a lost connection is found also when a rank that did not need it is done", () => {
  const done = rank(0, { exitCode: 0, endedMs: 20_000 });
  const two = [rank(1, { idleMs: 10_000, activity: waits(2, 6) }), rank(2, { idleMs: 10_000, activity: waits(1, 5) })];
  assert.deepEqual(findStuck([done, ...two], OPTIONS), { rank: 2, how: "cut off" });
});
