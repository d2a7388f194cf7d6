import assert from "node:assert/strict";
import { joinMemoryGroup } from "../../runtime/comm/join_memory_group.ts";
import { CASES } from "./process_group_suite.ts";

for (let worldSize = 1; worldSize <= 7; worldSize++) {
  for (const [name, body] of Object.entries(CASES)) {
    Deno.test(`${worldSize} ranks in memory: ${name}`, async () => {
      const groups = joinMemoryGroup(worldSize, { smallBytes: 4096, chunkBytes: 10_000 });
      const results = await Promise.all(groups.map(body));
      for (const result of results) assert.deepEqual(result, results[0]);
      await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
    });
  }
}

Deno.test("a world of no ranks is refused", () => {
  assert.throws(() => joinMemoryGroup(0), RangeError);
  assert.throws(() => joinMemoryGroup(1.5), RangeError);
});
