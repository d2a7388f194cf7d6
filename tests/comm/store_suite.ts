import assert from "node:assert/strict";
import { CommTimeoutError } from "../../runtime/core/errors.ts";
import type { Store } from "../../runtime/comm/store.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

/** What every store does. `open` gives two clients of one new store. */
export function storeSuite(name: string, open: () => Promise<{ stores: [Store, Store] } & AsyncDisposable>): void {
  const test = (sentence: string, body: (a: Store, b: Store) => Promise<void>) =>
    Deno.test(`${name}: ${sentence}`, async () => {
      await using opened = await open();
      await body(...opened.stores);
    });

  test("what one client sets, the other gets", async (a, b) => {
    assert.equal(await b.get("key"), undefined);
    await a.set("key", bytes(1, 2, 255));
    assert.deepEqual(await b.get("key"), bytes(1, 2, 255));
    await a.set("key", bytes());
    assert.deepEqual(await b.get("key"), bytes());
  });

  test("a wait resolves when the last of its keys is set, in the order asked for", async (a, b) => {
    await a.set("x", bytes(1));
    const waiting = b.wait(["y", "x", "z"], { timeoutMs: 10_000 });
    await a.set("z", bytes(3));
    await a.set("y", bytes(2));
    assert.deepEqual(await waiting, [bytes(2), bytes(1), bytes(3)]);
  });

  test("a wait that takes too long names the keys that are missing", async (a, b) => {
    await a.set("here", bytes(1));
    await assert.rejects(
      b.wait(["here", "gone"], { timeoutMs: 20 }),
      (error) =>
        error instanceof CommTimeoutError && error.timeoutMs === 20 && /"gone"/.test(error.message) &&
        !/"here"/.test(error.message),
    );
  });

  test("a wait ends with the reason of its signal", async (a) => {
    const reason = new Error("enough");
    const abort = new AbortController();
    const waiting = a.wait(["never"], { signal: abort.signal });
    abort.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(a.wait(["never"], { signal: AbortSignal.abort(reason) }), reason);
    assert.equal(await a.add("still works", 1), 1);
  });

  test("a counter starts at 0 and loses no addition", async (a, b) => {
    await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 ? a : b).add("n", i)));
    assert.equal(await a.add("n", -1225), 0);
  });

  test("adding to what is no counter is a TypeError that names the key", async (a) => {
    await a.set("text", new TextEncoder().encode("hello"));
    await assert.rejects(a.add("text", 1), { name: "TypeError", message: /"text"/ });
  });

  test("of two that compare and set, one wins and the other learns the value", async (a, b) => {
    const first = await a.compareAndSet("leader", undefined, bytes(1));
    const second = await b.compareAndSet("leader", undefined, bytes(2));
    assert.deepEqual([first, second], [{ swapped: true, value: bytes(1) }, { swapped: false, value: bytes(1) }]);
    assert.equal((await b.compareAndSet("leader", bytes(1), bytes(3))).swapped, true);
    assert.deepEqual(await a.get("leader"), bytes(3));
    assert.deepEqual(await a.compareAndSet("none", bytes(1), bytes(2)), { swapped: false, value: undefined });
  });

  test("a deleted key is gone", async (a, b) => {
    await a.set("key", bytes(1));
    assert.equal(await b.delete("key"), true);
    assert.equal(await a.delete("key"), false);
    assert.equal(await a.get("key"), undefined);
  });

  test("keys and values that are too long are refused", async (a) => {
    await assert.rejects(a.set("", bytes()), RangeError);
    await assert.rejects(a.get("é".repeat(257)), RangeError);
    await assert.rejects(a.set("big", new Uint8Array(4 * 1024 * 1024 + 1)), RangeError);
    await assert.rejects(a.wait([]), RangeError);
    await a.set("é".repeat(256), new Uint8Array(4 * 1024 * 1024));
  });

  test("a closed store says so, and ends who waits", async (a, b) => {
    const waiting = assert.rejects(b.wait(["never"]), /closed/);
    await b[Symbol.asyncDispose]();
    await waiting;
    await assert.rejects(b.get("key"), /closed/);
    await a[Symbol.asyncDispose]();
  });
}
