import { fileURLToPath } from "node:url";
import { RunKey } from "../../runtime/core/run_key.ts";
import { Network } from "../clusters/network.ts";
import { type RunningLauncher, startLauncher } from "../launcher/run_launcher.ts";
import { cutOff } from "./cut_off.ts";
import type { Fault } from "./fault.ts";
import { waitsInVain } from "./hosts_of_fault.ts";
import { now } from "./now.ts";

/** How the launchers of a run ended. */
export interface LaunchedRun {
  /** Their exit codes, by host. The reports are `report0.json` and so on. */
  readonly codes: readonly number[];
  /** All that was printed. */
  readonly output: string;
  /** When the last of those that said what failed did so. */
  readonly toldAt?: number;
  /** Whether one had to be killed. */
  readonly hangs: boolean;
  /** What was left on the hosts and of them, in words. */
  readonly left: readonly string[];
}

/** How long a rank may be stopped, or a host silent. Frozen ranks, lost connections and lost hosts are found after it. */
const HEARTBEAT_SECONDS = 1.5;
/** Nothing takes as long unless it hangs, however loaded the machine is. */
export const HANGS_MS = 90_000;
/** How long launchers wait for a host that does not come back: long enough for one that does. */
const IN_VAIN_SECONDS = 8;
/** What a launcher says first of what failed. */
const TOLD = /^weft: (rank \d+ .*first to fail|the host with node rank \d+ .*does not answer any more)$/m;

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Runs a program, with a launcher on each host, and notes when they say what failed. */
export async function launch(fault: Fault, folder: string): Promise<LaunchedRun> {
  const { hosts, kind } = fault;
  await using network = hosts > 1 ? await Network.start(hosts) : undefined;
  const env: Record<string, string> = { FAULT_FOLDER: folder, TMPDIR: `${folder}/tmp`, WEFT_FAULT: folder };
  if (network) env.WEFT_RUN_KEY = RunKey.random().toText();
  const flags = ["-A", ...(kind === "memory" ? ["--v8-flags=--max-old-space-size=60"] : [])];
  const launchers = Array.from({ length: hosts }, (_, host) => {
    const args = [...optionsOf(fault, { host, folder, network }), path(`scripts/${fault.program}.ts`)];
    const start = network ? network.launch.bind(network, host) : startLauncher;
    return start([...args, JSON.stringify(fault)], { env, flags });
  });
  let hangs = false, toldAt: number | undefined;
  for (const launcher of launchers) void launcher.until(TOLD).then(() => toldAt = now(), () => {});
  const timer = setTimeout(() => {
    hangs = true;
    for (const launcher of launchers) kill(launcher);
  }, HANGS_MS);
  if (network && fault.cut) await cutOff(fault, { network, launchers, folder, heartbeatMs: 1000 * HEARTBEAT_SECONDS });
  const ended = await Promise.all(launchers.map((launcher) => launcher.end()));
  clearTimeout(timer);
  const output = ended.map(({ stdout, stderr }, host) => `${hosts > 1 ? `-- host ${host}\n` : ""}${stdout}${stderr}`);
  const left = network ? await remainsOf(network) : [];
  return { codes: ended.map(({ code }) => code), output: output.join(""), toldAt, hangs, left };
}

/** Takes the hosts away, and says what was left on them, and of them. */
async function remainsOf(network: Network): Promise<string[]> {
  const processes = await network.processes();
  await network[Symbol.asyncDispose]();
  const left = { "processes are left on the hosts": processes, "this is left of the network": network.remains() };
  return Object.entries(left).flatMap(([what, found]) => found.length > 0 ? [`${what}: ${found.join(", ")}`] : []);
}

function optionsOf(fault: Fault, run: { host: number; folder: string; network?: Network }): string[] {
  const { hosts, minHosts, worldSize, maxRestarts } = fault, { host, folder, network } = run;
  const options = [
    ...["--devices", String(worldSize / hosts), "--max-restarts", String(maxRestarts), "--restart-delay", "0.01"],
    ...["--heartbeat-timeout", String(HEARTBEAT_SECONDS), "--error-file", `${folder}/report${host}.json`],
  ];
  if (!network) return options;
  const rendezvous = waitsInVain(fault) ? IN_VAIN_SECONDS : HANGS_MS / 1000;
  return [
    ...options,
    ...["--num-nodes", minHosts === hosts ? String(hosts) : `${minHosts}:${hosts}`, "--node-rank", String(host)],
    ...["--main-address", network.addresses[0], "--main-port", "29400", "--rendezvous-timeout", String(rendezvous)],
  ];
}

function kill(launcher: RunningLauncher): void {
  try {
    launcher.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}
