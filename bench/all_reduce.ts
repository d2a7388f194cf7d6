/**
 * All-reduce of float32 between ranks of one host: Weft's own, of an array in memory that the ranks share (`shared`: `group.sharedArray`, as DDP's buckets)
 * and of an ordinary one (`ordinary`), that of `processGroup: "tensorflow"`, and PyTorch's gloo, in turn.
 *
 *     deno run -A bench/all_reduce.ts [--peer-python PATH] [--ranks 2,4] [--sizes 1,256,79510] [--rounds 3] [--only shared,ordinary,gloo]
 *
 * The peer is run by the Python given, or by one that is made in the user's cache on the first call. Milliseconds are the median of the rounds. Ratios are
 * gloo's times over the others': above 1 they are faster.
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
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "shared,ordinary,tensorflow,gloo" },
    options: { type: "string", default: "{}" },
  },
});
const sizes = values.sizes.split(",").map(Number), group = JSON.parse(values.options);

type Measure = (ranks: number) => Promise<AllReduceTime[] | undefined>;

const MEASURES: Record<string, Measure> = {
  shared: (ranks) => measureAllReduce(ranks, { sizes, group, sharedArrays: true }),
  ordinary: (ranks) => measureAllReduce(ranks, { sizes, group }),
  tensorflow: measureTensorflow,
  gloo: runPeer,
};
const columns = values.only.split(",");
for (const name of columns) {
  if (!MEASURES[name]) throw new TypeError(`--only takes ${Object.keys(MEASURES).join(", ")}, not ${name}`);
}

for (const ranks of values.ranks.split(",").map(Number)) await compare(ranks);

async function compare(ranks: number): Promise<void> {
  const times: AllReduceTime[][] = columns.map(() => []);
  for (let round = 0; round < Number(values.rounds); round++) {
    // In turn, so that what else the machine does meets all of them.
    for (const [i, name] of columns.entries()) times[i].push(...await MEASURES[name](ranks) ?? []);
  }
  console.log(
    `\nall-reduce, ${ranks} ranks, ${navigator.hardwareConcurrency} cores, median of ${values.rounds} rounds`,
  );
  console.log(row("floats", ...columns.flatMap((name) => [`${name} ms`, ...name === "gloo" ? [] : ["ratio"]])));
  for (const size of sizes) {
    const ms = times.map((all) => median(all.filter((one) => one.size === size).map((one) => one.ms)));
    const gloo = ms[columns.indexOf("gloo")];
    const cells = columns.flatMap((name, i) => [
      ms[i]?.toFixed(3) ?? "-",
      ...name === "gloo" ? [] : [gloo && ms[i] ? (gloo / ms[i]).toFixed(1) : "-"],
    ]);
    console.log(row(size.toLocaleString("en"), ...cells));
  }
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

function row(...cells: string[]): string {
  return cells.map((cell) => cell.padStart(14)).join("");
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
