/**
 * `reduce.ts FLOATS ROUNDS`: the ranks reduce arrays; each prints a digest of what it got and whether it shares memory with others.
 * With `--kill N` rank N is killed while the others are in the last round.
 */
import { parseArgs } from "node:util";
import { Fabric, tf } from "../../../mod.ts";

const { values, positionals } = parseArgs({ options: { kill: { type: "string" } }, allowPositionals: true });
const [floats, rounds] = positionals.map(Number);
const fabric = new Fabric({ accelerator: "wasm" });
await fabric.launch();
let result: tf.Tensor | undefined;
for (let round = 1; round <= rounds; round++) {
  if (round === rounds && values.kill === String(fabric.globalRank)) {
    setTimeout(() => Deno.kill(Deno.pid, "SIGKILL"), 100);
    await new Promise(() => setInterval(() => {}, 1000));
  }
  const data = tf.tensor1d(Float32Array.from({ length: floats }, (_, i) => Math.sin(i + fabric.globalRank * round)));
  result = await fabric.allReduce(data, { op: "sum" });
}
const digest = new Uint8Array(
  await crypto.subtle.digest("SHA-256", await result!.data<"float32">() as Float32Array<ArrayBuffer>),
).toHex();
const maps = await Deno.readTextFile("/proc/self/maps");
console.log(`sum ${digest} shares=${/\/dev\/shm\/weft-/.test(maps)}`);
await fabric.close();
