import { meetRanks } from "../../../runtime/comm/meet_ranks.ts";
import type { ProcessGroup } from "../../../runtime/comm/process_group.ts";
import { Random } from "../../../runtime/seed/random.ts";
import { Network } from "../world/network.ts";
import { Scheduler } from "../world/scheduler.ts";
import { ProcessMemory } from "../../comm/process_memory.ts";
import { type Addresses, SimulatedInbox } from "../world/simulated_inbox.ts";
import { SimulatedProcess } from "../world/simulated_process.ts";
import { SimulatedStore, StoreService } from "../world/simulated_store.ts";
import type { CollectivesPlan } from "./plan.ts";

/** How a rank ended. */
export interface RankEnd {
  readonly rank: number;
  /** How many of its calls came to an end with a result. */
  results: number;
  /** What it failed with, and when. */
  error?: Error;
  errorMs?: number;
  /** Whether all that it did came to an end, be it good or bad. */
  isDone: boolean;
}

/** What came of a plan. */
export interface CollectivesRun {
  readonly ends: readonly RankEnd[];
  /** Results that are wrong. */
  readonly wrong: readonly string[];
  /** Virtual milliseconds, and events. */
  readonly endedMs: number;
  readonly events: number;
}

/** What a rank throws by plan. */
export class PlannedError extends Error {
  override readonly name = "PlannedError";
}

/** Carries out a plan in virtual time: the rendezvous, the groups and their collectives are the real ones. */
export async function simulateCollectives(
  plan: CollectivesPlan,
  options: { random: Random; limitMs: number; trace?: (line: string) => void },
): Promise<CollectivesRun> {
  const { random, limitMs, trace } = options, { worldSize, ranksPerHost, fault } = plan;
  const scheduler = new Scheduler(), addresses: Addresses = new Map();
  const network = new Network(plan.latency, new Random(random.bits()));
  const service = new StoreService(new SimulatedProcess(scheduler, { name: "store", host: "host0" }), network);
  if (fault.kind === "late" || fault.kind === "lost") network.outages.push(...fault.outages);
  if ("mischief" in fault) Object.assign(network.mischief, fault.mischief);
  const memories = new Map<string, ProcessMemory>();
  const memoryOf = (host: string) => {
    if (plan.sharedChunkBytes === 0) return undefined;
    if (!memories.has(host)) memories.set(host, new ProcessMemory());
    return memories.get(host);
  };
  const wrong: string[] = [];
  const ends = Array.from({ length: worldSize }, (_, rank): RankEnd => ({ rank, results: 0, isDone: false }));
  const say = (rank: number, text: string) =>
    trace?.(`${scheduler.now.toFixed(2).padStart(12)} ms  rank ${rank}  ${text}`);

  const processes = ends.map((end) => {
    const process = new SimulatedProcess(scheduler, {
      name: `rank${end.rank}`,
      host: `host${Math.floor(end.rank / ranksPerHost)}`,
      clockOffset: random.integer(1_000_000),
    });
    const mine = new Random(random.bits());
    process.onDeath(() => end.isDone = true);
    process.after(plan.startMs[end.rank], () => void live(end, process, mine));
    return process;
  });
  if (fault.kind === "kill") {
    scheduler.at(fault.atMs, () => {
      say(fault.rank, "is killed");
      processes[fault.rank].die(fault.lostMs);
    });
  }
  if (fault.kind === "freeze") {
    scheduler.at(fault.atMs, () => {
      say(fault.rank, "is frozen");
      processes[fault.rank].freeze();
    });
    scheduler.at(fault.atMs + fault.forMs, () => {
      say(fault.rank, "goes on");
      processes[fault.rank].thaw();
    });
  }
  await scheduler.run(() => ends.every(({ isDone }) => isDone), limitMs);
  return { ends, wrong, endedMs: scheduler.now, events: scheduler.count };

  async function live(end: RankEnd, process: SimulatedProcess, random: Random): Promise<void> {
    const { rank } = end;
    let group: ProcessGroup | undefined;
    try {
      group = await meetRanks({
        ...{ rank, worldSize, timeoutMs: plan.meetMs, clock: process.clock, machine: process.host },
        store: new SimulatedStore(service, process, plan.meetMs),
        inbox: new SimulatedInbox(process, { network, addresses, address: `sim://rank${rank}` }),
        collectiveTimeoutMs: plan.timeoutMs,
        ...{ smallBytes: plan.smallBytes, chunkBytes: plan.chunkBytes, sharedMemory: memoryOf(process.host) },
        ...{ sharedFromBytes: 64, sharedWholeBytes: 1024, sharedChunkBytes: plan.sharedChunkBytes },
      });
      say(rank, "has met the others");
      await callAll(group, end, { process, random });
      say(rank, "is done");
    } catch (error) {
      end.error = error as Error;
      end.errorMs = scheduler.now;
      say(rank, `fails: ${end.error.name}: ${end.error.message}`);
      if (error instanceof PlannedError) await group?.abort(error);
    }
    await group?.[Symbol.asyncDispose]();
    end.isDone = true;
  }

  async function callAll(
    group: ProcessGroup,
    end: RankEnd,
    { process, random }: { process: SimulatedProcess; random: Random },
  ): Promise<void> {
    const { rank } = end;
    for (const call of plan.calls) await call.prepare?.(group);
    for (let at = 0; at < plan.calls.length;) {
      await process.sleep(random.uniform() * plan.computeMs[rank]);
      const batch = plan.calls.slice(at, at + plan.together);
      const pending: Promise<void>[] = [];
      for (const [i, call] of batch.entries()) {
        const isFaulty = "call" in fault && fault.rank === rank && fault.call === at + i;
        if (isFaulty && fault.kind === "leave") {
          await Promise.all(pending);
          say(rank, "leaves");
          return;
        }
        if (isFaulty && fault.kind === "throw") {
          await Promise.all(pending);
          throw new PlannedError(`rank ${rank} has had enough`);
        }
        const purpose = isFaulty && fault.kind === "purpose" ? "another purpose" : "the plan";
        const made = isFaulty && fault.kind === "mismatch"
          ? group.allReduce(new Float64Array(777))
          : call.run(group, purpose);
        pending.push(made.then((result) => {
          end.results++;
          const problem = isFaulty ? undefined : call.problem(result, rank);
          if (problem) wrong.push(`${call.name}, call ${at + i}, on rank ${rank} ${problem}`);
        }));
      }
      // One that fails lets the others fail too.
      const settled = await Promise.allSettled(pending);
      for (const one of settled) if (one.status === "rejected") throw one.reason;
      at += batch.length;
      say(rank, `has the results of ${at} calls`);
    }
  }
}
