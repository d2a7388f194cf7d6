import { Random } from "../../../runtime/seed/random.ts";
import { Network } from "../world/network.ts";
import { Scheduler } from "../world/scheduler.ts";
import { SimulatedProcess } from "../world/simulated_process.ts";
import { StoreService } from "../world/simulated_store.ts";
import type { RunPlan } from "./plan.ts";
import { SimulatedHost } from "./simulated_host.ts";
import type { RunWorld } from "./world.ts";

/** How a simulated run went. */
export interface SimulatedRun {
  readonly world: RunWorld;
  readonly hosts: readonly SimulatedHost[];
}

/** Carries out a plan in virtual time: the launchers' decisions, their links, the ranks' groups and collectives are the real ones. */
export async function simulateRun(
  plan: RunPlan,
  options: { random: Random; limitMs: number; trace?: (line: string) => void },
): Promise<SimulatedRun> {
  const { random, limitMs, trace } = options, { fault } = plan;
  const scheduler = new Scheduler();
  const network = new Network(plan.latency, new Random(random.bits()));
  const launchers = plan.startMs.map((_, node) =>
    new SimulatedProcess(scheduler, { name: `launcher ${node}`, host: `host${node}`, clockOffset: random.integer(1e6) })
  );
  const world: RunWorld = {
    ...{ plan, scheduler, network, addresses: new Map(), ranks: [], finals: [] },
    service: new StoreService(launchers[0], network),
    checkpoint: { step: 0, state: 1 },
    say: (who, text) => trace?.(`${scheduler.now.toFixed(1).padStart(10)} ms  ${who}: ${text}`),
  };
  const hosts = launchers.map((launcher, node) => new SimulatedHost(world, node, launcher));
  for (const [node, startMs] of plan.startMs.entries()) scheduler.at(startMs, () => void hosts[node].launch());
  if (fault && "node" in fault && fault.kind !== "late") {
    scheduler.at(fault.atMs, () => {
      const host = hosts[fault.node], { launcher } = host;
      if (host.isDone) return;
      world.harmedMs = scheduler.now;
      world.say(launcher.host, `is harmed: ${fault.kind}`);
      if (fault.kind === "term") launcher.do(() => host.signals.take("SIGTERM"));
      else if (fault.kind === "gone") launcher.die();
      else {
        const untilMs = fault.kind === "pause" ? scheduler.now + fault.forMs : Infinity;
        for (const other of launchers) {
          if (other === launcher) continue;
          network.outages.push({ a: launcher.host, b: other.host, fromMs: scheduler.now, untilMs, loses: false });
        }
      }
    });
  }
  await scheduler.run(() => hosts.every(({ isDone }) => isDone), limitMs);
  return { world, hosts };
}
