import process from "node:process";
import { Callback } from "../callback.ts";
import type { Trainer } from "../trainer.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import { tf } from "../../tensor/tf.ts";

/** Options of {@linkcode DeviceStatsMonitor}. */
export interface DeviceStatsMonitorOptions {
  /** Log what the process uses of the processor and of memory. Default: true. */
  cpuStats?: boolean;
}

/**
 * Gives the loggers what lies on the device, before and after the training steps that are logged:
 * `DeviceStatsMonitor.onTrainBatchStart/tensors`, `…/bytes`, and of the process `…/cpu_percent` (100 for each busy core), `…/rss` and
 * `…/heap_used` in bytes.
 *
 * @example
 * ```ts
 * const monitor = new DeviceStatsMonitor({ cpuStats: false });
 * console.assert(monitor.stateDict() === undefined);
 * ```
 */
export class DeviceStatsMonitor extends Callback {
  readonly #cpuStats: boolean;
  #before: { at: number; cpu: number } | undefined;

  /** @throws TypeError for an unknown option */
  constructor(options: DeviceStatsMonitorOptions = {}) {
    super();
    rejectUnknownOptions("DeviceStatsMonitor", options, ["cpuStats"]);
    this.#cpuStats = options.cpuStats ?? true;
  }

  /** @throws Error if the Trainer has no logger */
  override onTrainStart(trainer: Trainer): void {
    this.#before = undefined;
    if (trainer.loggers.length > 0 || trainer.fastDevRun > 0) return;
    throw new Error(
      "Cannot use `DeviceStatsMonitor` callback with `Trainer` that has no logger: give it one with `new Trainer({ logger })`",
    );
  }

  override async onTrainBatchStart(trainer: Trainer): Promise<void> {
    await this.#log(trainer, "onTrainBatchStart", trainer.globalStep);
  }
  override async onTrainBatchEnd(trainer: Trainer): Promise<void> {
    await this.#log(trainer, "onTrainBatchEnd", trainer.globalStep - 1);
  }

  async #log(trainer: Trainer, hook: string, step: number): Promise<void> {
    const { logEveryNSteps } = trainer;
    if (logEveryNSteps === 0 || (step + 1) % logEveryNSteps !== 0) return;
    const { numTensors, numBytes } = tf.memory();
    const stats: Record<string, number> = { tensors: numTensors, bytes: numBytes };
    if (this.#cpuStats) Object.assign(stats, this.#processStats());
    const named = Object.entries(stats).map(([name, value]) => [`DeviceStatsMonitor.${hook}/${name}`, value]);
    await trainer.logMetrics(Object.fromEntries(named), step);
  }

  #processStats(): Record<string, number> {
    const { user, system } = process.cpuUsage();
    const now = { at: performance.now(), cpu: (user + system) / 1000 };
    const before = this.#before;
    this.#before = now;
    const { rss, heapUsed } = Deno.memoryUsage();
    const stats: Record<string, number> = { rss, heap_used: heapUsed };
    if (before && now.at > before.at) stats.cpu_percent = 100 * (now.cpu - before.cpu) / (now.at - before.at);
    return stats;
  }
}
