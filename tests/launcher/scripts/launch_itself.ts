/** Starts its own ranks, as `fabric.launch()` does; rank 0 leaves a value in the store. `abort`: ends them when the witness says so. */
import { connectStore } from "../../../runtime/comm/connect_store.ts";
import { launchRanks } from "../../../launcher/launch.ts";
import { RunKey } from "../../../runtime/core/run_key.ts";
import { attend } from "./attend.ts";

const text = (bytes?: Uint8Array) => new TextDecoder().decode(bytes);
if (Deno.env.get("WEFT_LAUNCHED_BY") === "script") {
  const rank = Deno.env.get("RANK");
  console.log(`args ${Deno.args.join()} main ${import.meta.main}`);
  if (rank === "0") {
    const runKey = RunKey.parse(Deno.env.get("WEFT_RUN_KEY")!);
    await using store = await connectStore({ port: Number(Deno.env.get("MASTER_PORT")), runKey });
    await store.set("weft/result", new TextEncoder().encode("42"));
  }
  if (Deno.args.includes("abort")) await attend(`rank ${rank}`);
  if (Deno.args.includes("fail")) Deno.exit(6);
} else {
  const controller = new AbortController();
  if (Deno.args.includes("abort")) void (await attend("parent")).told.then(() => controller.abort());
  let result: string | undefined;
  const { exitCode, cause, stoppedBy } = await launchRanks(new URL(import.meta.url), {
    devices: { accelerator: "wasm", indices: [0, 1] },
    args: Deno.args,
    signal: controller.signal,
    onSuccess: async (address) => {
      await using store = await connectStore(address);
      result = text(await store.get("weft/result"));
    },
  });
  console.log(JSON.stringify({ exitCode, failed: cause !== undefined, stoppedBy, result }));
  if (Deno.args.includes("abort")) Deno.exit(0);
}
