import { countUsableDevices } from "../../launcher/count_usable_devices.ts";
import { launchRanks } from "../../launcher/launch.ts";
import { connectStore } from "../comm/connect_store.ts";
import { decodeObject, encodeObject } from "../comm/object_codec.ts";
import { selectDevices } from "../devices/select_devices.ts";
import type { FabricConfig } from "./options.ts";

/** Where rank 0 leaves what its `main` returned, for the process that started it. */
const RESULT_KEY = "weft/result";

/** Rank 0's side: leaves the result for {@linkcode superviseOwnScript}. */
export async function deliverResult(
  store: { set(key: string, value: Uint8Array): Promise<void> },
  result: unknown,
): Promise<void> {
  await store.set(RESULT_KEY, encodeObject(result));
}

/**
 * Runs the script of this process once a rank and supervises the ranks. This process trains nothing.
 *
 * @returns what rank 0's `main` returned, if it has one; else this process exits with the ranks' code
 * @throws Error if ranks fail and there is a caller to catch it
 */
export async function superviseOwnScript<T>(config: FabricConfig, options: { wantsResult: boolean }): Promise<T> {
  const script = ownScript();
  const devices = await selectDevices({
    accelerator: config.accelerator,
    devices: config.devices,
    count: countUsableDevices,
  });
  let result: T | undefined;
  const report = await launchRanks(script, {
    devices,
    args: Deno.args,
    numNodes: config.numNodes,
    settings: { launchedBy: "script" },
    onSuccess: async (at) => {
      if (!options.wantsResult) return;
      await using store = await connectStore(at);
      const bytes = await store.get(RESULT_KEY);
      if (bytes) result = decodeObject(bytes) as T;
    },
  });
  if (!options.wantsResult || report.stoppedBy || report.category === "resumable") Deno.exit(report.exitCode);
  if (report.exitCode === 0) return result as T;
  const { cause } = report;
  throw new Error(
    `rank ${cause?.rank ?? "?"} failed with exit code ${report.exitCode}${
      cause?.error ? `: ${cause.error.message}` : ""
    }`,
  );
}

function ownScript(): URL {
  let main: URL | undefined;
  try {
    main = new URL(Deno.mainModule);
  } catch {
    // No main module: a REPL or a notebook.
  }
  if (main && ["file:", "http:", "https:"].includes(main.protocol) && !main.pathname.includes("$deno$")) return main;
  throw new Error(
    "`fabric.launch()` starts the other ranks by running the program's script again, but there is none here (a notebook, REPL or test). " +
      "Put the training into a script, or use `devices: 1`.",
  );
}
