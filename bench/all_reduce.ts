/**
 * All-reduce of float32 between ranks of one host: Weft's own over ZeroMQ, that of `processGroup: "tensorflow"`, and PyTorch's gloo, in the same run.
 *
 *     deno run -A bench/all_reduce.ts [--peer-python PATH] [--ranks 2,4] [--sizes 1,256,79510]
 *
 * The peer is run by the Python given, or by one that is made in the user's cache on the first call. Ratios are the others' times over ZeroMQ's: above 1
 * ZeroMQ is faster.
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

const WIDTHS = [12, 12, 16, 8, 12, 8];

for (const ranks of values.ranks.split(",").map(Number)) await compare(ranks);

async function compare(ranks: number): Promise<void> {
  const ours = await measureAllReduce(ranks, { sizes, group: JSON.parse(values.options) });
  const tensorflow = await measureTensorflow(ranks);
  const gloo = await runPeer(ranks);
  console.log(`\nall-reduce, ${ranks} ranks, ${navigator.hardwareConcurrency} cores`);
  console.log(row("floats", "zeromq ms", "tensorflow ms", "ratio", "gloo ms", "ratio"));
  for (const { size, ms } of ours) {
    const others = [tensorflow, gloo].flatMap((times) => {
      const other = times?.find((one) => one.size === size)?.ms;
      return other === undefined ? ["-", "-"] : [other.toFixed(3), (other / ms).toFixed(1)];
    });
    console.log(row(size.toLocaleString("en"), ms.toFixed(3), ...others));
  }
}

function row(...cells: string[]): string {
  return cells.map((cell, i) => cell.padStart(WIDTHS[i])).join("");
}

async function measureTensorflow(ranks: number): Promise<AllReduceTime[] | undefined> {
  try {
    return await measureAllReduce(ranks, { sizes, processGroup: "tensorflow" });
  } catch (error) {
    console.log(`\nno figures of TensorFlow: ${(error as Error).message}`);
    return undefined;
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
