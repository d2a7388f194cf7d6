/**
 * A rank that reduces something and tells on how many TCP ports its process listens, besides that of the store: TensorFlow's server has one, ZeroMQ has
 * files for sockets on one host. Arguments: the process group of the code, or none.
 */
import { DDPStrategy, Fabric } from "../../../mod.ts";

const [processGroup] = Deno.args;
const fabric = new Fabric({
  accelerator: "cpu",
  strategy: processGroup ? new DDPStrategy({ processGroup: processGroup as "zeromq" }) : "ddp",
});
await fabric.launch();
const sum = await fabric.allReduce(fabric.globalRank + 1, { op: "sum" });
console.log(JSON.stringify({ rank: fabric.globalRank, sum, servers: await listeningSockets() }));
await fabric.close();

/** Of this process, as Linux tells. */
async function listeningSockets(): Promise<number> {
  const LISTEN = "0A";
  const all = await Promise.all(["tcp", "tcp6"].map((kind) => Deno.readTextFile(`/proc/self/net/${kind}`)));
  const lines = all.flatMap((text) => text.trim().split("\n").slice(1)).map((line) => line.trim().split(/\s+/));
  const store = Number(Deno.env.get("MASTER_PORT"));
  const isServer = ([, address, , state]: string[]) =>
    state === LISTEN && parseInt(address.split(":").at(-1)!, 16) !== store;
  const listening = new Set(lines.filter(isServer).map((fields) => `socket:[${fields[9]}]`));
  let own = 0;
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => "");
    if (listening.has(target)) own++;
  }
  return own;
}
