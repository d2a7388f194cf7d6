import type { RankExit } from "../../../launcher/decide.ts";
import { parseRankError, rankErrorOf } from "../../../launcher/rank_error.ts";
import type { StartedRank } from "../../../launcher/start_rank.ts";
import { meetRanks } from "../../../runtime/comm/meet_ranks.ts";
import type { ProcessGroup } from "../../../runtime/comm/process_group.ts";
import { MEETING } from "../../../runtime/core/activity.ts";
import { ACTIVITY_BYTES, ActivityPage, pageText } from "../../../runtime/core/activity_page.ts";
import { RESUMABLE } from "../../../runtime/core/exit_codes.ts";
import type { ClusterInfo } from "../../../runtime/environments/cluster_info.ts";
import { groupWatchOf } from "../../../runtime/fabric/group_watch.ts";
import { SimulatedInbox } from "../world/simulated_inbox.ts";
import { SimulatedProcess } from "../world/simulated_process.ts";
import { SimulatedStore } from "../world/simulated_store.ts";
import type { RankFault } from "./plan.ts";
import { type Checkpoint, type RunWorld, shareOf, stepped } from "./world.ts";

/** A rank that trains: it meets the others, goes on from the newest checkpoint, and stops where all agree when it gets TERM. */
export class SimulatedRank implements StartedRank {
  readonly rank: number;
  readonly pid: number;
  readonly process: SimulatedProcess;
  readonly exited: Promise<void>;
  readonly errorTail = "";
  readonly page: StartedRank["page"];
  readonly #world: RunWorld;
  readonly #cluster: Omit<ClusterInfo, "kind">;
  readonly #launcher: SimulatedProcess;
  /** The memory that it shares with its launcher. */
  readonly #memory = new ArrayBuffer(ACTIVITY_BYTES);
  readonly #activity = new ActivityPage(this.#memory);
  readonly #leave: () => void;
  #exit: RankExit | undefined;
  #catchesTerm = false;
  #shallStop = false;

  constructor(world: RunWorld, launcher: SimulatedProcess, cluster: Omit<ClusterInfo, "kind">) {
    const { rank, generation } = cluster;
    this.rank = rank;
    this.#world = world;
    this.#cluster = cluster;
    this.#launcher = launcher;
    this.pid = world.ranks.push(this);
    this.process = new SimulatedProcess(world.scheduler, {
      name: nameOf(rank, generation),
      host: launcher.host,
      clockOffset: rank * 1000,
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.exited = promise;
    this.#leave = resolve;
    this.page = {
      activity: () => new ActivityPage(this.#memory).read(),
      error: () => parseRankError(new ActivityPage(this.#memory).error),
      tell: (failure) => this.#write("notice", failure),
      remove: () => {},
    };
    // The kernel ends a rank whose launcher has ended.
    launcher.onDeath(() => this.end(137, "SIGKILL"));
    void this.#live();
  }

  get exit(): RankExit | undefined {
    return this.#exit;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  /** What its launcher sends it. */
  signal(signal: string): void {
    if (signal === "SIGKILL") this.end(137, signal);
    if (signal === "SIGCONT") this.process.thaw();
    if (signal === "SIGTERM") {
      this.process.do(() => {
        if (this.#catchesTerm) this.#shallStop = true;
        else this.end(143, signal);
      });
    }
  }

  end(code: number, signal?: string): void {
    if (!this.process.isAlive) return;
    this.#world.say(this.process.name, `ends with ${signal ?? code}`);
    this.process.die();
    this.#launcher.after(1, () => {
      this.#exit = { code, signal, atMs: this.#launcher.clock.now() };
      this.#leave();
    });
  }

  async #live(): Promise<void> {
    const { process } = this, { service, network, addresses } = this.#world, activity = this.#activity;
    const { rank, localRank, worldSize, generation, runId } = this.#cluster;
    let group: ProcessGroup | undefined;
    try {
      await process.sleep(100);
      const before = activity.enter(MEETING);
      group = await meetRanks({
        ...{ rank, worldSize, runId, generation, clock: process.clock, machine: process.host },
        store: new SimulatedStore(service, process),
        // A new generation may well get the ports of the one before.
        inbox: new SimulatedInbox(process, { network, addresses, address: `sim://${process.host}:${localRank}` }),
        watch: groupWatchOf(() => activity),
      });
      activity.joined = true;
      activity.restore(before);
      const code = await this.#train(group);
      await group[Symbol.asyncDispose]();
      this.end(code);
    } catch (error) {
      this.#world.say(process.name, `fails: ${error}`);
      await group?.abort(error as Error);
      const { now } = this.#world.scheduler;
      this.#write("error", rankErrorOf(error, { rank, sharedTime: now, time: now, activity }));
      this.end(1);
    }
  }

  /** Returns what to exit with. */
  async #train(group: ProcessGroup): Promise<number> {
    const world = this.#world, { plan } = world, { rank, worldSize } = this.#cluster;
    this.#catchesTerm = true;
    let { step, state }: Checkpoint = await group.broadcastObject(world.checkpoint);
    for (; step < plan.steps; step++) {
      this.#activity.setStep(step);
      const before = this.#activity.enter("trainingStep");
      await this.process.sleep(plan.computeMs * (rank === plan.slowRank ? 3 : 1));
      await this.#harm(step);
      const sums = new Float64Array([shareOf(step, rank, worldSize), this.#shallStop ? 1 : 0]);
      await group.allReduce(sums);
      state = stepped(state, sums[0]);
      this.#activity.restore(before);
      const stops = sums[1] > 0;
      if (rank === 0 && (stops || (step + 1) % plan.checkpointEvery === 0)) {
        await this.process.sleep(5);
        world.checkpoint = { step: step + 1, state };
      }
      if (stops) {
        await group.barrier();
        return RESUMABLE;
      }
    }
    await group.barrier();
    world.finals.push(state);
    return 0;
  }

  /** What the plan does to this rank at this step. */
  async #harm(step: number): Promise<void> {
    const world = this.#world, { fault } = world.plan, { rank, generation } = this.#cluster;
    if (!fault || !("step" in fault) || fault.rank !== rank || fault.step !== step) return;
    if (generation > 0 && fault.kind !== "throw again") return;
    world.say(this.process.name, `is harmed: ${fault.kind}`);
    world.harmedMs ??= world.scheduler.now;
    await HARMS[fault.kind](this, fault, world);
  }

  #write(what: "notice" | "error", content: object): void {
    const { at, bytes } = pageText(what, JSON.stringify(content));
    new Uint8Array(this.#memory).set(bytes, at);
  }
}

const never = (): Promise<void> => new Promise(() => {});
const HARMS: Record<RankFault["kind"], (rank: SimulatedRank, fault: RankFault, world: RunWorld) => Promise<void>> = {
  throw: () => Promise.reject(new RangeError("the batch is empty")),
  "throw again": () => Promise.reject(new RangeError("the batch is empty")),
  kill(rank) {
    rank.end(137, "SIGKILL");
    return never();
  },
  exit(rank) {
    rank.end(0);
    return never();
  },
  async stop(rank) {
    rank.process.freeze();
    await rank.process.sleep(1);
  },
  cut(_, { rank, other }, { network, scheduler }) {
    const [a, b] = [nameOf(rank, 0), nameOf(other, 0)];
    network.outages.push({ a, b, fromMs: scheduler.now, untilMs: Infinity, loses: true });
    return Promise.resolve();
  },
};

function nameOf(rank: number, generation: number): string {
  return `rank ${rank} of generation ${generation}`;
}
