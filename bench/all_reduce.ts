/**
 * All-reduce of float32 between ranks of one host, beside PyTorch's gloo in the same run.
 *
 *     deno run -A bench/all_reduce.ts [--peer-python PATH] [--ranks 2,4] [--sizes 1,256,79510]
 *
 * The peer is run by the Python given, or by one that is made in the user's cache on the first call. `ratio` is the peer's time over ours: above 1
 * ours is faster.
 */
import { parseArgs } from "node:util";
import { type AllReduceTime, measureAllReduce } from "./all_reduce_program.ts";
import { peerPython } from "./peer_python.ts";

const SIZES = [1, 256, 79_510, 1 << 20, 1 << 22, 1 << 24];

const { values } = parseArgs({
  options: {
    "peer-python": { type: "string" },
    ranks: { type: "string", default: "2,4" },
    sizes: { type: "string", default: SIZES.join(",") },
    options: { type: "string", default: "{}" },
  },
});
const sizes = values.sizes.split(",").map(Number);

for (const ranks of values.ranks.split(",").map(Number)) await compare(ranks);

async function compare(ranks: number): Promise<void> {
  const ours = await measureAllReduce(ranks, { sizes, group: JSON.parse(values.options) });
  const peer = await runPeer(ranks);
  console.log(`\nall-reduce, ${ranks} ranks, ${navigator.hardwareConcurrency} cores`);
  console.log(`${"floats".padStart(12)}${"ours ms".padStart(12)}${"gloo ms".padStart(12)}${"ratio".padStart(9)}`);
  for (const { size, ms } of ours) {
    const other = peer?.find((one) => one.size === size)?.ms;
    console.log(
      size.toLocaleString("en").padStart(12) + ms.toFixed(3).padStart(12) + (other?.toFixed(3) ?? "-").padStart(12) +
        (other === undefined ? "-" : (other / ms).toFixed(2)).padStart(9),
    );
  }
}

async function runPeer(ranks: number): Promise<AllReduceTime[] | undefined> {
  const program = new URL("./peers/gloo_all_reduce.py", import.meta.url).pathname;
  const python = await peerPython(values["peer-python"]);
  try {
    const { success, stdout, stderr } = await new Deno.Command(python, {
      args: [program, String(ranks), ...sizes.map(String)],
    }).output();
    if (success) return readLines(new TextDecoder().decode(stdout));
    const reason = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
    console.log(`\nno figures of gloo: ${python} failed (${reason}); give a Python with torch by --peer-python PATH`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`\nno figures of gloo: there is no ${python}; give a Python with torch by --peer-python PATH`);
  }
  return undefined;
}

function readLines(text: string): AllReduceTime[] {
  return text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}
