import { HostLink } from "../../../launcher/host_link.ts";
import type { Machine } from "../../../launcher/machine.ts";
import { runGeneration } from "../../../launcher/run_generation.ts";
import { type GenerationsResult, runGenerations } from "../../../launcher/run_generations.ts";
import { SignalLog } from "../../../launcher/signal_log.ts";
import type { SimulatedProcess } from "../world/simulated_process.ts";
import { SimulatedStore } from "../world/simulated_store.ts";
import { SimulatedRank } from "./simulated_rank.ts";
import type { RunWorld } from "./world.ts";

export const MEET_MS = 20_000;

/** A host with its launcher: everything above the processes is the real one. */
export class SimulatedHost {
  readonly node: number;
  readonly launcher: SimulatedProcess;
  readonly signals: SignalLog;
  readonly #world: RunWorld;
  #ranks: SimulatedRank[] = [];
  result?: GenerationsResult;
  error?: Error;
  /** When its launcher had nothing left to do. */
  endedMs?: number;

  constructor(world: RunWorld, node: number, launcher: SimulatedProcess) {
    this.node = node;
    this.#world = world;
    this.launcher = launcher;
    this.signals = new SignalLog(launcher.clock);
  }

  /** The launcher has ended, by itself or with its host. */
  get isDone(): boolean {
    return this.endedMs !== undefined || !this.launcher.isAlive;
  }

  async launch(): Promise<void> {
    const { plan, service, scheduler } = this.#world, { node, launcher, signals } = this;
    const { numNodes, minNodes, localWorldSize, heartbeatMs, maxRestarts } = plan;
    const say = (text: string) => this.#world.say(launcher.name, text);
    let link: HostLink | undefined;
    try {
      this.result = await runGenerations({
        ...{ firstGeneration: 0, nodeRank: node, maxRestarts, restartDelayMs: 1_000, signals, say },
        isOver: () => false,
        connect: () => {
          if (numNodes === 1) return Promise.resolve(undefined);
          link = new HostLink({
            ...{ nodeRank: node, numNodes, minNodes, localWorldSize, heartbeatMs, meetMs: MEET_MS },
            ...{ host: launcher.host, clock: launcher.clock },
            store: new SimulatedStore(service, launcher, MEET_MS),
          });
          return Promise.resolve(link);
        },
        run: ({ generation, nodes }, share) =>
          runGeneration({
            ...{ say, show: true, heartbeatMs, graceMs: 10_000, failureGraceMs: 3_000, ...share },
            machine: this.#machine(),
            startRank: (cluster) => {
              const rank = new SimulatedRank(this.#world, launcher, cluster);
              this.#ranks.push(rank);
              return rank;
            },
            cluster: {
              ...{ nodeRank: nodes.indexOf(node), numNodes: nodes.length, worldSize: nodes.length * localWorldSize },
              ...{ localWorldSize, mainAddress: "host0", mainPort: 1, runId: "run", generation, storeIsHosted: true },
            },
            listen: (listener) => signals.forward(listener),
          }),
      });
    } catch (error) {
      this.error = error as Error;
      say(`fails: ${error}`);
    }
    await link?.[Symbol.asyncDispose]();
    this.endedMs = scheduler.now;
    launcher.die();
  }

  #machine(): Machine {
    const ofPid = (pid: number) => this.#ranks.filter((rank) => rank.pid === pid);
    const those = (pids: Iterable<number>, are: (rank: SimulatedRank) => boolean) =>
      Promise.resolve(new Set([...pids].flatMap(ofPid).filter(are).map(({ pid }) => pid)));
    return {
      clock: this.launcher.clock,
      host: this.launcher.host,
      signal: (leaders, signal) => [...leaders].flatMap(ofPid).forEach((rank) => rank.signal(signal)),
      living: (leaders) => those(leaders, ({ process }) => process.isAlive),
      stopped: (pids) => those(pids, ({ process }) => process.isAlive && process.isFrozen),
      killMarked: () => Promise.resolve(),
      oomKills: () => Promise.resolve(undefined),
    };
  }
}
