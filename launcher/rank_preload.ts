/** Loaded into every rank before its script (`deno run --preload`): ties the rank to its launcher and writes down what it throws. */
import { detectCluster } from "../runtime/environments/detect_cluster.ts";
import { processEnvironment } from "../runtime/environments/process_environment.ts";
import { readSettings } from "../runtime/environments/settings.ts";
import { dieWithLauncher } from "./die_with_launcher.ts";
import { writeRankError } from "./rank_error.ts";

const variables = processEnvironment();
const { errorFile, launcherPid } = readSettings(variables);

if (launcherPid !== undefined) dieWithLauncher(launcherPid);

if (errorFile !== undefined) {
  const { rank } = detectCluster(variables);
  // Whether a listener of the script's own handles it shows only later; the file counts only if the process fails.
  globalThis.addEventListener("error", (event) => writeRankError(errorFile, event.error, { rank }));
  globalThis.addEventListener("unhandledrejection", (event) => writeRankError(errorFile, event.reason, { rank }));
}
