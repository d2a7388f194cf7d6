import assert from "node:assert/strict";
import { StoreState } from "../../runtime/comm/store_state.ts";

Deno.test("a wait goes on if a key that was there is deleted before the others come", () => {
  const state = new StoreState();
  const got: Uint8Array[][] = [];
  state.set("a", Uint8Array.of(1));
  state.wait(["a", "b"], (values) => void got.push(values));
  state.delete("a");
  state.set("b", Uint8Array.of(2));
  assert.deepEqual(got, []);
  state.set("a", Uint8Array.of(3));
  assert.deepEqual(got, [[Uint8Array.of(3), Uint8Array.of(2)]]);
});

Deno.test("a wait that names a key twice is refused, and a store takes no more than it may hold", () => {
  const state = new StoreState();
  assert.throws(() => state.wait(["a", "a"], () => {}), /a key twice/);
  const small = new StoreState(3 * 1024);
  small.set("a", new Uint8Array(1024));
  small.set("a", new Uint8Array(1025));
  small.set("b", new Uint8Array(1024));
  assert.throws(() => small.set("c", new Uint8Array(1024)), /the store is full/);
  small.delete("a");
  small.set("c", new Uint8Array(1024));
});
