import type { PeerFailure } from "../runtime/core/activity.ts";
import type { Activity } from "../runtime/core/activity_page.ts";
import type { DeviceSelection } from "../runtime/devices/select_devices.ts";
import { childEnvironment } from "../runtime/environments/child_environment.ts";
import type { ClusterInfo } from "../runtime/environments/cluster_info.ts";
import type { Settings } from "../runtime/environments/settings.ts";
import type { ConsoleOutput } from "./console_output.ts";
import type { RankExit } from "./decide.ts";
import type { OrphanGuard } from "./orphan_guard.ts";
import type { RankError } from "./rank_error.ts";
import { RankPage } from "./rank_page.ts";
import { Rank } from "./rank_process.ts";

/** A rank that was started, as its launcher knows it. */
export interface StartedRank {
  readonly rank: number;
  /** The process's id, and that of its group. */
  readonly pid: number;
  /** Resolves when it has ended, whatever became of its output. */
  readonly exited: Promise<void>;
  /** Absent while it runs. */
  readonly exit?: RankExit;
  /** What is known of it besides; that outlives the process. */
  readonly page: {
    activity(): Activity;
    error(): RankError | undefined;
    /** Tells it that another rank failed. */
    tell(failure: PeerFailure): void;
    /** Nobody reads it any more. */
    remove(): void;
  };
  /** The last lines on standard error, if they passed through here. */
  readonly errorTail: string;
  /** Resolves when all output is handed on; what something outside the group still holds open after `ms` is cut off. */
  drained(ms: number): Promise<void>;
}

/** Starts a rank of this host. */
export type StartRank = (cluster: Omit<ClusterInfo, "kind">) => StartedRank;

/** What all ranks of a run are started with. */
export interface RankStartOptions {
  script: URL;
  args: readonly string[];
  /** Flags of Deno, beginning with `run`. */
  denoFlags: readonly string[];
  devices: DeviceSelection;
  settings: Settings;
  /** `CUDA_VISIBLE_DEVICES` of this process. Default: all devices are seen. */
  visibleDevices?: string;
  /** A folder of the launcher's. */
  scratch: string;
  guard: OrphanGuard;
  console: ConsoleOutput;
  /** Columns of the terminal that the ranks' output is shown in. Default: it is shown in none. */
  columns?: number;
  logDir?: string;
  /** Whether the ranks' output is shown. */
  show: boolean;
}

/** Starts ranks as processes. */
export function startRanksAsProcesses(options: RankStartOptions): StartRank {
  const { settings, devices, script, args, denoFlags, console, logDir, show, columns } = options;
  return (cluster) => {
    const { rank, localRank } = cluster;
    const page = new RankPage(`${options.scratch}/rank_${rank}.${cluster.generation}.page`);
    const prefix = cluster.worldSize > 1 ? `[rank ${rank}] ` : "";
    const environment = childEnvironment({
      cluster,
      settings: {
        ...settings,
        pageFile: page.path,
        launcherPid: Deno.pid,
        terminalColumns: columns === undefined ? undefined : columns - prefix.length,
      },
      cudaDevice: devices.accelerator === "cuda"
        ? cudaName(devices.indices[localRank], options.visibleDevices)
        : undefined,
    });
    const started = new Rank(rank, page, { script, args, denoFlags, environment, console, logDir, prefix, show });
    options.guard.watch(started.pid);
    return started;
  };
}

/** Devices are counted among those that this process may see, and named as the driver knows them. */
function cudaName(index: number, visible: string | undefined): string {
  return visible?.split(",")[index]?.trim() ?? String(index);
}
