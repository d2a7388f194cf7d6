/** Rank 0 fails because rank 1 did, and is the first to exit. */
import { attend } from "./attend.ts";

class RankFailedError extends Error {
  override readonly name = "RankFailedError";
}
const rank = Deno.env.get("RANK");
if (rank === "0") {
  // Not before rank 1 can notice that it is being ended.
  if (Deno.env.get("WORLD_SIZE") !== "1") await (await attend("rank 0")).told;
  throw new RankFailedError("rank 1 failed: the disk is full");
}
Deno.addSignalListener("SIGTERM", () => {
  throw new Error("the disk is full");
});
await attend("rank 1");
