/** Ends by itself when it gets TERM, as a training loop that saves first. */
import { attend } from "./attend.ts";

Deno.addSignalListener("SIGTERM", () => {
  console.log("saved");
  Deno.exit(0);
});
console.log(`pid ${Deno.pid}`);
await attend(`rank ${Deno.env.get("RANK")}`);
