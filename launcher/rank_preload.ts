/** Loaded into every rank before its script (`deno run --preload`): ties the rank to its launcher, shows it what the rank is doing, and writes down what it throws. */
import { useActivityPage } from "../runtime/core/activity.ts";
import { ACTIVITY_BYTES, ActivityPage } from "../runtime/core/activity_page.ts";
import { detectCluster } from "../runtime/environments/detect_cluster.ts";
import { processEnvironment } from "../runtime/environments/process_environment.ts";
import { readSettings } from "../runtime/environments/settings.ts";
import { dieWithLauncher } from "./die_with_launcher.ts";
import { mapFile } from "./map_file.ts";
import { writeRankError } from "./rank_error.ts";

const variables = processEnvironment();
const { pageFile, launcherPid } = readSettings(variables);

if (launcherPid !== undefined) dieWithLauncher(launcherPid);

if (pageFile !== undefined) {
  const { rank } = detectCluster(variables);
  const mapped = mapFile(pageFile, ACTIVITY_BYTES);
  if (mapped) useActivityPage(new ActivityPage(mapped.buffer));
  const write = (thrown: unknown) => {
    const sharedTime = mapped && performance.now() + mapped.sharedClockOffset;
    writeRankError(pageFile, thrown, { rank, sharedTime });
  };
  // Whether a listener of the script's own handles it shows only later; the page counts only if the process fails.
  globalThis.addEventListener("error", (event) => write(event.error));
  globalThis.addEventListener("unhandledrejection", (event) => write(event.reason));
}
