/**
 * `leave.ts WHO HOW`: after three rounds rank WHO leaves while the others wait for it in a fourth; HOW is `exit`, `end`, `close`, `throw`, or `stay`: then somebody outside does
 * something to it. With `compute` and `late` it takes part, but only after it has computed for five seconds, in which its event loop gets no turn; with `late` the others are gone by then. Whoever
 * waits prints what it is told, and ends with 3.
 */
import { Fabric } from "../../../mod.ts";

const [who, how] = Deno.args;
const fabric = new Fabric({ accelerator: "wasm" });
await fabric.launch();
const isTheOne = who === String(fabric.globalRank);
const reduce = () => fabric.allReduce({ sum: fabric.globalRank + 1 }, { op: "sum", purpose: "the rounds" });

function compute() {
  for (const end = performance.now() + 5000; performance.now() < end;);
}

const LEAVE: Record<string, () => void | Promise<void>> = {
  exit: () => Deno.exit(0),
  end: () => {},
  close: () => fabric.close(),
  throw: () => Promise.reject(new RangeError("the batch is empty")),
  stay: () => new Promise(() => setInterval(() => {}, 1000)),
};

try {
  for (let round = 1; round <= 3; round++) await reduce();
  console.log("three rounds are done");
  if (isTheOne && how in LEAVE) await LEAVE[how]();
  else {
    if (isTheOne) compute();
    // Who broadcasts needs nothing of the others, and leaves.
    const sum = how === "late" ? await fabric.broadcast(6) : (await reduce()).sum;
    console.log(`the fourth gave ${sum}`);
    await fabric.close();
  }
} catch (error) {
  if (isTheOne) throw error;
  console.log(`told: ${(error as Error).name}: ${(error as Error).message}`);
  Deno.exit(3);
}
