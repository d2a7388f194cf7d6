/** Ignores TERM, and says that it does. */
import { attend } from "./attend.ts";

Deno.addSignalListener("SIGTERM", () => console.log("no, thanks"));
await attend(`rank ${Deno.env.get("RANK")}`);
if (Deno.args[0] === "fail" && Deno.env.get("RANK") === "0") Deno.exit(4);
console.log("ready");
