import assert from "node:assert/strict";
import { routeMessages } from "../../runtime/core/messages.ts";
import {
  forkRandom,
  globalSeed,
  randomState,
  restoreRandomState,
  seed_everything,
  seedEverything,
  type SeedOptions,
  unseedRandom,
} from "../../runtime/seed/seed_everything.ts";

/** What everything random in TensorFlow.js gave in another process. */
async function draw(seed: number, rank: number): Promise<Record<string, unknown>> {
  const script = new URL("draw.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", script, String(seed), String(rank)],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function seeded(body: () => void): () => void {
  return () => {
    try {
      body();
    } finally {
      unseedRandom();
    }
  };
}

Deno.test("two processes with the same seed draw the same weights, masks and random tensors; another seed or rank draws others", async () => {
  const [first, second, otherSeed, otherRank] = await Promise.all([draw(42, 0), draw(42, 0), draw(43, 0), draw(42, 1)]);
  assert.deepEqual(second, first);
  for (const name of Object.keys(first)) {
    assert.notDeepEqual(otherSeed[name], first[name], `${name} ignores the seed`);
    assert.notDeepEqual(otherRank[name], first[name], `${name} is the same on another rank`);
  }
});

Deno.test("the same rank draws the same in every run", async () => {
  assert.deepEqual(await draw(0, 3), await draw(0, 3));
});

Deno.test(
  "the messages are Lightning's",
  seeded(() => {
    const lines: string[] = [];
    using _route = routeMessages((line) => lines.push(line));
    assert.equal(seed_everything(42), 42);
    assert.equal(globalSeed(), 42);
    assert.equal(seedEverything(), 0);
    assert.equal(globalSeed(), 0);
    seed_everything(1, { workers: true, verbose: false });
    assert.deepEqual(lines, ["Seed set to 42", "No seed found, seed set to 0"]);
  }),
);

Deno.test(
  "a seed out of bounds changes nothing and names the bounds",
  seeded(() => {
    seed_everything(7, { verbose: false });
    for (const seed of [-1, 4294967296, 1.5, NaN, "42"]) {
      assert.throws(
        () => seed_everything(seed as number),
        (error: Error) => error instanceof RangeError && error.message.includes("from 0 to 4294967295"),
      );
    }
    assert.throws(
      () => seed_everything(1, { worker: true } as SeedOptions),
      /no option `worker`; did you mean `workers`/,
    );
    assert.equal(globalSeed(), 7);
    seed_everything(4294967295, { verbose: false });
  }),
);

Deno.test(
  "the random state goes back to where it was, and is null before seeding",
  seeded(() => {
    assert.equal(randomState(), null);
    restoreRandomState(null);
    seed_everything(42, { verbose: false });
    Math.random();
    const state = JSON.parse(JSON.stringify(randomState()));
    const expected = [Math.random(), Math.random()];
    restoreRandomState(state);
    assert.deepEqual([Math.random(), Math.random()], expected);
    unseedRandom();
    restoreRandomState(state);
    assert.deepEqual([Math.random(), Math.random()], expected);
    assert.throws(() => restoreRandomState({ generator: "mt19937", words: [] } as never), TypeError);
  }),
);

Deno.test(
  "rank 0 keeps the stream of a single process; a rank that seeds again gets its own stream again",
  seeded(() => {
    seed_everything(42, { verbose: false });
    const single = Math.random();
    seed_everything(42, { verbose: false });
    forkRandom(0);
    assert.equal(Math.random(), single);
    forkRandom(2);
    seed_everything(42, { verbose: false });
    const own = Math.random();
    assert.notEqual(own, single);
    seed_everything(42, { verbose: false });
    assert.equal(Math.random(), own);
    assert.throws(() => forkRandom(-1), /A rank is a whole number from 0, but got -1/);
  }),
);
