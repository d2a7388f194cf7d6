/** A script that starts its own ranks and goes on with what rank 0 came to. */
import { Fabric } from "../../../mod.ts";

const fabric = new Fabric({ accelerator: "wasm", devices: 2 });
const result = await fabric.launch(async (fabric) => {
  if (Deno.args[0] === "fail" && fabric.globalRank === 1) throw new Error("rank 1 has had enough");
  const sum = await fabric.allReduce(fabric.globalRank + 1, { op: "sum" });
  return { sum, of: fabric.globalRank, curve: Float32Array.of(1, 2) };
});
console.log("after launch:", JSON.stringify({ sum: result.sum, of: result.of, curve: [...result.curve] }));
