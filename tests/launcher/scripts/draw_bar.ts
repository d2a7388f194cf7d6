/** Rank 0 draws a bar and ends when it is told to; rank 1 prints a line when it is told to. */
import { attend } from "./attend.ts";

const rank = Deno.env.get("RANK");
const columns = Deno.env.get("WEFT_TERMINAL");
if (rank === "0" && columns) Deno.stderr.writeSync(new TextEncoder().encode(`\r50 % of ${columns}`));
const { told } = await attend(`rank ${rank}`);
await told;
if (rank === "1") console.log("hello");
Deno.exit(0);
