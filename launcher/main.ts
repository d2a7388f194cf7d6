/**
 * Weft's command line: runs a script once for each device. See docs/launcher.md, or
 *
 *     deno run -A launcher/main.ts --help
 */
import { countUsableDevices } from "./count_usable_devices.ts";
import { milliseconds } from "../runtime/core/duration.ts";
import { CommTimeoutError } from "../runtime/core/errors.ts";
import { UNAVAILABLE } from "../runtime/core/exit_codes.ts";
import { selectDevices } from "../runtime/devices/select_devices.ts";
import { processEnvironment } from "../runtime/environments/process_environment.ts";
import { readSettings } from "../runtime/environments/settings.ts";
import { startReport, writeErrorReport } from "./error_report.ts";
import { helpText } from "./help.ts";
import { launchRanks } from "./launch.ts";
import { launcherKey } from "./launcher_key.ts";
import { parseCommandLine } from "./parse_command_line.ts";
import { resolveScript } from "./resolve_script.ts";

/** What is wrong with how the launcher was called. */
const USAGE_ERROR = 2;

/** Runs the launcher with these arguments and returns its exit code. Errors go to standard error, one line each. */
async function main(args: readonly string[]): Promise<number> {
  let errorFile: string | undefined;
  try {
    const variables = processEnvironment();
    const commandLine = parseCommandLine(args, variables);
    if (commandLine.help) {
      console.log(helpText());
      return 0;
    }
    const { options } = commandLine;
    errorFile = options.errorFile;
    const script = await resolveScript(commandLine.script);
    const devices = await selectDevices({ ...options, optionPrefix: "--", count: countUsableDevices });
    const settings = readSettings(variables);
    const { keyFile, nodeRank } = options;
    const runKey = await launcherKey({
      ...{ keyFile, nodeRank, runKey: settings.runKey },
      waitMs: 1000 * (options.rendezvousTimeoutSeconds ?? 300),
      onWait: () => console.error(`weft: waiting for the key ${keyFile}, which the launcher of node 0 makes`),
    });
    const { exitCode } = await launchRanks(script, {
      ...options,
      devices,
      runKey,
      args: commandLine.args,
      graceMs: milliseconds(options.graceSeconds),
      restartDelayMs: milliseconds(options.restartDelaySeconds),
      maxTimeMs: milliseconds(options.maxTimeSeconds),
      settings: {
        ...settings,
        ...{ accelerator: options.accelerator, devices: options.devices, strategy: options.strategy },
        ...{ processGroup: options.processGroup, precision: options.precision, maxRestarts: options.maxRestarts },
        numNodes: options.minNodes === options.numNodes ? options.numNodes : undefined,
        timeoutSeconds: options.timeoutSeconds,
        rendezvousTimeoutSeconds: options.rendezvousTimeoutSeconds,
        heartbeatTimeoutSeconds: options.heartbeatTimeoutSeconds,
        preemptionSignal: options.preemptionSignal,
        launchedBy: "command line",
      },
    });
    return exitCode;
  } catch (thrown) {
    // What failed first says more than what could not be put away after it.
    let error: unknown = thrown;
    while (error instanceof SuppressedError) error = error.suppressed;
    console.error(`weft: ${error instanceof Error ? error.message : error}`);
    // The launcher of another host that did not come is nobody's mistake here.
    const exitCode = error instanceof CommTimeoutError ? UNAVAILABLE : USAGE_ERROR;
    if (errorFile !== undefined) await writeErrorReport(errorFile, startReport(exitCode, error)).catch(() => {});
    return exitCode;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
