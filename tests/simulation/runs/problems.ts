import type { GenerationsResult } from "../../../launcher/run_generations.ts";
import type { HostFault, RankFault, RunPlan } from "./plan.ts";
import type { SimulatedRun } from "./simulate.ts";
import { MEET_MS, type SimulatedHost } from "./simulated_host.ts";
import { finalState } from "./world.ts";

/** How long a run may take in virtual time: all its steps once for each start, what it takes to notice a failure, and to end the ranks. */
export function limitMs(plan: RunPlan): number {
  const { steps, computeMs, heartbeatMs, startMs } = plan;
  const trainingMs = steps * (3 * computeMs + 300);
  return Math.max(...startMs) + 4 * (trainingMs + 3 * heartbeatMs + 20_000 + MEET_MS);
}

/** What is wrong with a run: nothing, if the product is right. */
export function problemsOf(run: SimulatedRun): string[] {
  const { world, hosts } = run, { plan } = world, { fault } = plan;
  const problems: string[] = [];
  for (const host of hosts) {
    if (!host.isDone) problems.push(`the launcher of ${host.launcher.host} hangs`);
    // A host that comes when the run is over finds nobody.
    const isLate = fault !== undefined && "node" in fault && (fault.kind !== "pause" || plan.minNodes < plan.numNodes);
    if (host.error && !(isLate && /CommTimeoutError|store/.test(String(host.error)))) {
      problems.push(`the launcher of ${host.launcher.host} fails: ${host.error}`);
    }
  }
  for (const { process } of world.ranks) {
    if (process.isAlive && hosts.every(({ isDone }) => isDone)) problems.push(`${process.name} is left behind`);
  }
  for (const state of world.finals) {
    if (state !== finalState(plan.steps)) {
      problems.push(`a rank ends with ${state} instead of ${finalState(plan.steps)}`);
    }
  }
  const ended = hosts.filter(({ result }) => result);
  if (problems.length > 0) return problems;
  const wasHarmed = world.harmedMs !== undefined;
  if (!fault || !wasHarmed || fault.kind === "pause") return ended.flatMap((host) => mustFinish(host, 0));
  return "step" in fault
    ? ended.flatMap((host) => afterRankFault(host, plan, fault))
    : ended.flatMap((host) => afterHostFault(host, plan, fault));
}

function mustFinish({ launcher, result }: SimulatedHost, restarts: number): string[] {
  const { exitCode } = result!.result;
  if (exitCode === 0 && result!.restarts === restarts) return [];
  return [`${launcher.host} ends with ${exitCode} after ${result!.restarts} restarts, not with 0 after ${restarts}`];
}

/** What each failure has to be called. */
const CALLED: Record<RankFault["kind"], { how: string; exitCode: number }> = {
  throw: { how: "failed", exitCode: 1 },
  "throw again": { how: "failed", exitCode: 1 },
  kill: { how: "failed", exitCode: 137 },
  exit: { how: "left", exitCode: 1 },
  stop: { how: "frozen", exitCode: 69 },
  cut: { how: "cut off", exitCode: 69 },
};

function afterRankFault(host: SimulatedHost, plan: RunPlan, fault: RankFault): string[] {
  const { launcher } = host, result = host.result!;
  // What fails at the same step a second time is not started a third time.
  const restarts = fault.kind === "throw again" ? Math.min(1, plan.maxRestarts) : Math.min(1, plan.maxRestarts);
  const finishes = fault.kind !== "throw again" && plan.maxRestarts > 0;
  const { how } = CALLED[fault.kind];
  // Who needs nothing more from the other end of a lost connection may be done before the others wait in vain.
  const isLeft = fault.kind === "cut" && failuresOf(result).some((failure) => failure?.how === "left");
  const exitCode = isLeft ? 1 : CALLED[fault.kind].exitCode;
  // On several hosts not every rank sends something to every other.
  if (fault.kind === "cut" && plan.numNodes > 1 && result.result.exitCode === 0 && result.restarts === 0) return [];
  const problems = finishes ? mustFinish(host, 1) : [];
  if (!finishes && (result.result.exitCode !== exitCode || result.restarts !== restarts)) {
    problems.push(
      `${launcher.host} ends with ${result.result.exitCode} after ${result.restarts} restarts, not with ${exitCode} after ${restarts}`,
    );
  }
  for (const failure of failuresOf(result)) {
    const isRight = failure && (failure.how === how || isLeft) &&
      (failure.rank === fault.rank || fault.kind === "cut" && failure.rank === fault.other);
    if (!isRight) {
      problems.push(`${launcher.host} says rank ${failure?.rank} ${failure?.how}; rank ${fault.rank} did: ${how}`);
    }
  }
  return problems;
}

/** What failed in each generation that did. */
function failuresOf({ earlier, result }: GenerationsResult) {
  return [...earlier.map(({ failure }) => failure), ...(result.exitCode === 0 ? [] : [result.failure])];
}

function afterHostFault(host: SimulatedHost, plan: RunPlan, fault: HostFault): string[] {
  const { launcher, node } = host, result = host.result!, { exitCode, cause } = result.result;
  const says = `${launcher.host} ends with ${exitCode} after ${result.restarts} restarts`;
  // No rank has failed by itself.
  const problems = cause && cause.error?.name !== "RankFailedError" && cause.error?.name !== "ConnectionLostError"
    ? [`${says} and blames rank ${cause.rank}: ${cause.error?.name ?? cause.how}`]
    : [];
  const goesOn = plan.minNodes < plan.numNodes && fault.node !== 0;
  const isThatHost = node === fault.node;
  switch (fault.kind) {
    case "term":
      // Ranks that had not met yet had nothing to save, and a host that left before it began is missed.
      if (![0, 75, 143].includes(exitCode) && (isThatHost || exitCode !== 69)) problems.push(says);
      if (goesOn && !isThatHost && exitCode !== 0) {
        problems.push(`${says} though it can go on without host${fault.node}`);
      }
      break;
    case "late":
      if (exitCode !== 0) problems.push(says);
      break;
    case "gone":
    case "cut off":
      if (goesOn && !isThatHost && exitCode !== 0) {
        problems.push(`${says} though it can go on without host${fault.node}`);
      }
      if (!goesOn && ![0, 69].includes(exitCode)) problems.push(says);
  }
  return problems;
}
