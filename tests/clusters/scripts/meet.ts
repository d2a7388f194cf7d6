/** Each rank says who it is and whom it met; with `--fail N` rank N throws while the others wait for it. */
import { parseArgs } from "node:util";
import { Fabric } from "../../../mod.ts";

const { values } = parseArgs({ options: { fail: { type: "string" } } });
const fabric = new Fabric({ accelerator: "wasm" });
await fabric.launch();
if (values.fail === String(fabric.globalRank)) throw new Error("this rank fails on purpose");
const { sum } = await fabric.allReduce({ sum: fabric.globalRank + 1 }, { op: "sum" });
console.log(`met rank=${fabric.globalRank} local=${fabric.localRank} world=${fabric.worldSize} sum=${sum}`);
await fabric.close();
