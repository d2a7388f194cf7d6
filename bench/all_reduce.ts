/**
 * All-reduce of float32 between ranks of one host, beside PyTorch's gloo in the same run.
 *
 *     deno run -A bench/all_reduce.ts [--peer-python PATH] [--ranks 2,4] [--sizes 1,256,79510]
 *
 * The peer is run by the Python given, or by one that is made in the user's cache on the first call. `ratio` is the peer's time over ours: above 1
 * ours is faster.
 */
import { parseArgs } from "node:util";
import { peerPython } from "./peer_python.ts";
import { connectStore } from "../runtime/comm/connect_store.ts";
import { joinProcessGroup } from "../runtime/comm/join_process_group.ts";
import { StoreServer } from "../runtime/comm/store_server.ts";

const SIZES = [1, 256, 79_510, 1 << 20, 1 << 22, 1 << 24];

interface Measured {
  size: number;
  ms: number;
}

const { values } = parseArgs({
  options: {
    "peer-python": { type: "string" },
    ranks: { type: "string", default: "2,4" },
    sizes: { type: "string", default: SIZES.join(",") },
    options: { type: "string", default: "{}" },
    rank: { type: "string" },
    port: { type: "string" },
  },
});
const sizes = values.sizes.split(",").map(Number);

if (values.rank !== undefined) await measure(Number(values.rank), Number(values.ranks), Number(values.port));
else for (const ranks of values.ranks.split(",").map(Number)) await compare(ranks);

/** One rank: the same blocks of calls as the peer's program. */
async function measure(rank: number, worldSize: number, port: number): Promise<void> {
  await using store = await connectStore({ port });
  await using group = await joinProcessGroup({ store, rank, worldSize, ...JSON.parse(values.options) });
  for (const size of sizes) {
    const data = new Float32Array(size).fill(1);
    const calls = size < 1 << 17 ? 100 : size < 1 << 22 ? 10 : 3;
    // The first calls compile the loops.
    for (let i = 0; i < (size < 1 << 20 ? 300 : 5); i++) await group.allReduce(data, { op: "mean" });
    const blocks: number[] = [];
    for (let block = 0; block < 5; block++) {
      await group.barrier();
      const start = performance.now();
      for (let i = 0; i < calls; i++) await group.allReduce(data);
      blocks.push((performance.now() - start) / calls);
    }
    if (rank === 0) console.log(JSON.stringify({ size, ms: blocks.sort((a, b) => a - b)[2] }));
  }
}

async function compare(ranks: number): Promise<void> {
  const ours = await runOurs(ranks);
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

async function runOurs(ranks: number): Promise<Measured[]> {
  await using server = await StoreServer.listen();
  const outputs = await Promise.all(Array.from({ length: ranks }, async (_, rank) => {
    const args = [
      "--rank",
      rank,
      "--ranks",
      ranks,
      "--port",
      server.port,
      "--sizes",
      values.sizes,
      "--options",
      values.options,
    ];
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", import.meta.url, ...args.map(String)],
    }).output();
    if (!success) throw new Error(`rank ${rank} failed:\n${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }));
  return readLines(outputs[0]);
}

async function runPeer(ranks: number): Promise<Measured[] | undefined> {
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

function readLines(text: string): Measured[] {
  return text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}
