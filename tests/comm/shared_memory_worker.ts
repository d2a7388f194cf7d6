/**
 * One rank that reduces large arrays. Arguments: port of the store, rank, world size, and `once` or `forever`. It prints "shared" or what the
 * runtime said, then "going".
 */
import { connectStore } from "../../runtime/comm/connect_store.ts";
import { joinProcessGroup } from "../../runtime/comm/join_process_group.ts";
import { routeMessages } from "../../runtime/core/messages.ts";

const [port, rank, worldSize] = Deno.args.map(Number);
let said = "shared";
routeMessages((line) => said = line);
await using store = await connectStore({ port, timeoutMs: 30_000 });
await using group = await joinProcessGroup({ store, rank, worldSize, timeoutMs: 30_000, collectiveTimeoutMs: 30_000 });
const shared = await group.sharedArray(Float32Array, 1_000_000);
for (let round = 0;; round++) {
  for (const array of [new Float32Array(100_000), new Float32Array(1_000_000), shared.data]) {
    const data = await group.allReduce(array.fill(rank + 1));
    const sum = worldSize * (worldSize + 1) / 2;
    if (!data.every((value) => value === sum)) throw new Error(`${data.length} elements have wrong sums`);
  }
  if (round === 0) console.log(`${said}\ngoing`);
  if (round === 0 && Deno.args[3] === "once") break;
}
