/** `fail.ts HOW`: rank 1 fails in that way when all ranks live; the others live on until they are ended. */
import { attend } from "./attend.ts";

const rank = Deno.env.get("RANK"), how = Deno.args[0];
await attend(`rank ${rank}`);
if (rank === "1") {
  if (how === "exit") Deno.exit(3);
  if (how === "kill") Deno.kill(Deno.pid, "SIGKILL");
  if (how === "throw") throw new RangeError("the loss is NaN", { cause: new Error("a bad batch") });
  if (how === "later") setTimeout(() => Promise.reject("just a string"), 1);
}
if (how === "none") console.log("all is well");
