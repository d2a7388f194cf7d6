/** Turns adam.wat into adam_bytes.ts. Run after changing it: deno run -A runtime/optim/fused/build.ts */
import { Buffer } from "node:buffer";
import wabt from "npm:wabt@1.0.39";

const source = new URL("adam.wat", import.meta.url);
const { parseWat } = await wabt();
const module = parseWat("adam.wat", await Deno.readTextFile(source), { simd: true });
module.validate();
const text = Buffer.from(module.toBinary({}).buffer).toString("base64");
await Deno.writeTextFile(
  new URL("adam_bytes.ts", import.meta.url),
  `/** adam.wat in binary form, base64, made by build.ts. */\nexport const ADAM_BYTES =\n  "${
    text.match(/.{1,110}/g)!.join('" +\n  "')
  }";\n`,
);
