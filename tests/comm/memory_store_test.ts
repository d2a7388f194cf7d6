import { MemoryStore } from "../../runtime/comm/memory_store.ts";
import { storeSuite } from "./store_suite.ts";

storeSuite("memory store", () => {
  const store = new MemoryStore();
  return Promise.resolve({ stores: [store, store], [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() });
});
