/** Starts a `sleep` and another Deno and waits; `detached`: in groups of their own; `fail`: rank 1 exits with 7 when it is told to; `leave`: all exit with 0. */
import { attend } from "./attend.ts";

const rank = Deno.env.get("RANK");
const detached = Deno.args.includes("detached");
const sleep = new Deno.Command("sleep", { args: ["1000"], stdout: "null", stderr: "null", detached }).spawn();
const other = new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", import.meta.resolve("./attend.ts"), `child of ${rank}`],
  stdout: "piped",
  detached,
}).spawn();
// Its first output says that it attends.
await other.stdout.getReader().read();
console.log(`sleep is ${sleep.pid}`);
const { told } = await attend(`rank ${rank}`);
if (Deno.args.includes("fail") && rank === "1") {
  await told;
  Deno.exit(7);
}
if (Deno.args.includes("leave")) Deno.exit(0);
