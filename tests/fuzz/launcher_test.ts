/** What a launcher reads of others: the pages of its ranks, the errors in them, and the words of the launchers of other hosts. */
import assert from "node:assert/strict";
import { fc } from "./deps.ts";
import { damaged, runs } from "./settings.ts";
import { failureOf, ranksOf } from "../../launcher/error_report.ts";
import { failureReport } from "../../launcher/failure_report.ts";
import { findStuck } from "../../launcher/find_stuck.ts";
import { HostLink } from "../../launcher/host_link.ts";
import { readDecision, readEnded, readSight, readTold, readWish } from "../../launcher/host_words.ts";
import { toJsonBytes } from "../../launcher/json_bytes.ts";
import type { FailureCause } from "../../launcher/outcome.ts";
import { parseRankError } from "../../launcher/rank_error.ts";
import { RankPage } from "../../launcher/rank_page.ts";
import { worstOf } from "../../launcher/worst_of.ts";
import { MemoryStore } from "../../runtime/comm/memory_store.ts";
import { peerFailure } from "../../runtime/core/activity.ts";
import { ACTIVITY_BYTES, ActivityPage, pageText } from "../../runtime/core/activity_page.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const odd = fc.oneof(
  fc.constantFrom<unknown>(null, true, -1, 0, 1, 2, 0.5, 2 ** 53, 1e300, "", "rank", "cut off", [], {}),
  fc.string({ maxLength: 9 }),
  fc.jsonValue({ maxDepth: 2 }),
);
/** A record of these fields, each of which may be right, odd or missing. */
function record(fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> {
  const each = Object.entries(fields).map(([name, right]) =>
    [name, fc.oneof({ weight: 4, arbitrary: right }, { weight: 1, arbitrary: odd })] as const
  );
  return fc.record(Object.fromEntries(each), { requiredKeys: [], noNullPrototype: true });
}

const text = fc.string({ maxLength: 9 }), number = fc.nat(5);
const rankError = record({
  ...{ rank: number, name: text, message: text, stack: text, time: fc.oneof(number, fc.double()), sharedTime: number },
  ...{ step: number, operation: text },
});
const activity = record({
  ...{ step: number, operation: text, joined: fc.boolean(), progress: number },
  collective: record({ kind: text, sequence: number, waitsFor: number, round: number }),
});
const cause = record({
  ...{ rank: number, how: fc.constantFrom("failed", "frozen", "left", "cut off"), exitCode: number, signal: text },
  ...{ error: rankError, activity, host: text },
});
const words = {
  wish: record({ localWorldSize: number, host: text, facts: fc.dictionary(text, text, { maxKeys: 2 }) }),
  decision: record({
    nodes: fc.array(number, { maxLength: 3 }),
    hosts: fc.array(text, { maxLength: 3 }),
    problem: text,
  }),
  told: record({ node: number, message: text, lost: number, joins: number, stuck: cause }),
  ended: record({
    ...{ node: number, host: text, exitCode: number, signal: text, cause },
    category: fc.constantFrom("finished", "resumable", "stopped", "rank", "infrastructure"),
  }),
  sight: record({
    count: number,
    ranks: fc.array(
      record({ rank: number, exitCode: number, endedMs: number, stoppedMs: number, idleMs: number, activity }),
    ),
  }),
};
const bytesOf = (word: fc.Arbitrary<unknown>) => {
  const right = word.map((value) => new TextEncoder().encode(JSON.stringify(value)));
  return fc.oneof({ weight: 3, arbitrary: right }, { weight: 1, arbitrary: damaged(right) }, {
    weight: 1,
    arbitrary: odd.map((value) => new TextEncoder().encode(JSON.stringify(value))),
  });
};

/** Everything that is done with a cause: it is printed, and written down. */
function tell(cause: FailureCause): void {
  failureReport({ cause, ended: [], others: cause.activity && [{ rank: 0, activity: cause.activity }] });
  JSON.stringify(failureOf(cause));
}

Deno.test("whatever is in a rank's page, its launcher reads, prints and reports it", () => {
  const places = fc.tuple(fc.oneof(fc.nat(300), fc.nat(ACTIVITY_BYTES - 1)), fc.uint8Array({ maxLength: 16 }));
  const page = new Uint8Array(ACTIVITY_BYTES);
  fc.assert(
    fc.property(fc.array(places, { maxLength: 12 }), rankError, odd, (changes, error, notice) => {
      page.fill(0);
      for (const [what, value] of [["error", error], ["notice", notice]] as const) {
        const { at, bytes } = pageText(what, JSON.stringify(value));
        page.set(bytes, at);
      }
      for (const [at, bytes] of changes) page.set(bytes.subarray(0, ACTIVITY_BYTES - at), at);
      const read = new ActivityPage(page.buffer), activity = read.read();
      const thrown = parseRankError(read.error);
      peerFailure(read);
      tell({ rank: 0, how: "failed", exitCode: 1, error: thrown, activity });
      const errors = new Map(thrown && [[0, thrown]]), activities = new Map([[0, activity]]);
      JSON.stringify(ranksOf([{ rank: 0, alive: false }], { errors, activities }));
      const seen = { rank: 0, endedMs: 0, stoppedMs: 0, idleMs: 1e6, activity };
      findStuck([seen, { ...seen, rank: 1 }], { heartbeatMs: 1_000, isWhole: true });
    }),
    runs(20_000),
  );
});

Deno.test("what launchers tell each other is read whole, or as what it does without", () => {
  fc.assert(
    fc.property(
      bytesOf(words.wish),
      bytesOf(words.decision),
      bytesOf(words.told),
      bytesOf(words.ended),
      bytesOf(words.sight),
      (wish, decision, told, ended, sight) => {
        readWish(wish);
        try {
          const { nodes, hosts } = readDecision(decision);
          assert.equal(nodes.length, hosts.length);
        } catch (error) {
          assert.ok(error instanceof RangeError, `${error}`);
        }
        const { message, stuck } = readTold(told);
        assert.equal(typeof message, "string");
        if (stuck) tell({ ...stuck, exitCode: 1 });
        const { cause, exitCode } = worstOf([readEnded(ended, 0), readEnded(ended, 1)]);
        assert.ok(exitCode >= 0 && exitCode <= 255);
        if (cause) tell(cause);
        const { ranks } = readSight(sight);
        findStuck(ranks, { heartbeatMs: 1, isWhole: true });
      },
    ),
    runs(10_000),
  );
});

Deno.test("a launcher that is told garbage comes to an end", async () => {
  await fc.assert(
    fc.asyncProperty(bytesOf(words.told), bytesOf(words.ended), bytesOf(words.sight), async (told, ended, sight) => {
      const store = new MemoryStore();
      const link = new HostLink({
        ...{ store, nodeRank: 0, numNodes: 2, localWorldSize: 1, heartbeatMs: 60_000, meetMs: 60_000, host: "host0" },
      });
      await store.set("launcher/0/want/1", toJsonBytes({ localWorldSize: 1, host: "host1", facts: {} }));
      await link.meet(0);
      await store.set("launcher/0/seen/1", sight);
      await store.set("launcher/0/failed", told);
      const generation = link.begin({ generation: 0, nodes: [0, 1] });
      await store.set("launcher/0/ended/1", ended);
      const { exitCode, cause } = await generation.settle({ exitCode: 0, category: "finished" });
      assert.ok(exitCode >= 0 && exitCode <= 255);
      if (cause) tell(cause);
      await store.set("launcher/done/1", new Uint8Array(1));
      await link[Symbol.asyncDispose]();
    }),
    runs(500),
  );
});

Deno.test("a launcher meets whoever comes, and takes garbage for nobody", async () => {
  await fc.assert(
    fc.asyncProperty(bytesOf(words.wish), fc.uint8Array({ maxLength: 9 }), async (wish, running) => {
      const store = new MemoryStore();
      const link = new HostLink({
        ...{ store, nodeRank: 0, numNodes: 2, minNodes: 1, localWorldSize: 1, heartbeatMs: 1_000, meetMs: 60_000 },
        ...{ host: "host0", joinMs: 0 },
      });
      await store.set("launcher/generation", running);
      await store.set("launcher/0/want/1", wish);
      const { nodes } = await link.meet(0);
      assert.ok(nodes.includes(0));
      await store.set("launcher/done/1", new Uint8Array(1));
      await link[Symbol.asyncDispose]();
    }),
    runs(500),
  );
});

Deno.test("of a page that somebody made huge, no more than a page is read", async () => {
  await inTemporaryFolder(async (folder) => {
    const page = new RankPage(`${folder}/0`);
    // 8 GiB that take no room on the disk.
    await Deno.truncate(page.path, 2 ** 33);
    assert.equal(page.activity().step, undefined);
    await Deno.truncate(page.path, 10);
    assert.equal(page.error(), undefined);
  });
});
