import { UNAVAILABLE } from "../../runtime/core/exit_codes.ts";
import { type Expected, isAbsent } from "./expectation.ts";
import type { Fault } from "./fault.ts";
import { hostOf, hostsAtEnd, hostsLeft, isMissed } from "./hosts_of_fault.ts";

/** Says what must come of the launcher of one of several hosts, if one of them is cut off. */
export function expectedOnHost(fault: Fault, host: number): Expected {
  if (!isMissed(fault)) return { exitCodes: [0], check: isAbsent };
  return mustName(blamed(fault, host), hostsAtEnd(fault).includes(host) ? 0 : UNAVAILABLE);
}

/** Says what must come of the launcher of one of several hosts, if that of another is killed. */
export function expectedWithoutLauncher(fault: Fault): Expected {
  return mustName([hostOf(fault)], UNAVAILABLE);
}

/** A launcher that has to say first that one of these hosts is lost, and no rank is to blame. */
function mustName(hosts: readonly number[], exitCode: number): Expected {
  return {
    exitCodes: [exitCode],
    check: (report) => {
      if (!report) return ["the lost host is not reported"];
      const first = report.earlier[0] ?? report;
      const { message = "" } = first, node = Number(LOST.exec(message)?.[1] ?? NaN);
      return [
        ...(hosts.includes(node) ? [] : [`what failed first is said to be ${JSON.stringify(message)}`]),
        ...(first.failure ? [`rank ${first.failure.rank} is blamed: ${first.failure.how}`] : []),
        ...(report.exitCode === exitCode ? [] : [`exit code ${report.exitCode} in the report`]),
        ...(exitCode === 0 || report.category === "infrastructure" ? [] : [`category ${report.category}`]),
        ...(exitCode === 0 || ENDED.test(report.message ?? "") ? [] : [`it ended for ${report.message}`]),
      ];
    },
  };
}

const LOST = /^the host with node rank (\d+) \(host\1, ranks? [\d to]+\) does not answer any more$/;
/** For one that is lost, or because it could not be met again. */
const ENDED = /does not answer( any more)?$|did not (answer|come)/;

/** The hosts that one may say are lost. */
function blamed(fault: Fault, host: number): number[] {
  const all = [...Array(fault.hosts).keys()], left = hostsLeft(fault);
  // Of a cut nobody can say which side is at fault. Node 0 misses those that it does not reach, and so do the others on its side; for the rest it is lost.
  const missed = all.filter((one) => !left.includes(one) && one !== 0);
  if (left.includes(host)) return missed;
  // Who is back before it has noticed anything hears from node 0 who is missed.
  return fault.cut!.comesBack === "never" ? [0] : [0, ...missed];
}
