import type { ErrorReport } from "../../launcher/error_report.ts";
import { type Expected, isAbsent } from "./expectation.ts";
import { expectedOnHost, expectedWithoutLauncher } from "./expected_on_host.ts";
import type { Fault } from "./fault.ts";
import { hostOf } from "./hosts_of_fault.ts";

type Failure = NonNullable<ErrorReport["failure"]>;

/** How V8 ends a process whose heap is full. */
const V8_SIGNALS = ["SIGTRAP", "SIGILL", "SIGABRT"];

/** Says what must come of a launcher in a run with this fault: its exit code, and the true cause in its report. */
export function expectedOf(fault: Fault, host: number): Expected {
  const { kind, maxRestarts, hosts } = fault;
  if (kind === "host") return expectedOnHost(fault, host);
  if (kind === "launcher" && host !== hostOf(fault)) return expectedWithoutLauncher(fault);
  const { code, check } = FAULTS[kind](fault);
  if (!check) return { exitCodes: [code], check: isAbsent };
  const mayBeHarmless = kind === "connection" && hosts > 1, exitCode = maxRestarts > 0 ? 0 : code;
  return {
    // A connection between hosts is made again. Only what was on its way is lost.
    exitCodes: mayBeHarmless ? [0, exitCode] : [exitCode],
    check: (report) => {
      if (mayBeHarmless && !report) return [];
      const failure = report?.earlier[0]?.failure ?? report?.failure;
      return failure ? [...check(failure), ...checkPlace(fault, failure)] : ["no failure is reported"];
    },
  };
}

const FAULTS: Record<
  Exclude<Fault["kind"], "host">,
  (fault: Fault) => { code: number; check?: (failure: Failure) => string[] }
> = {
  throw: () => ({ code: 1, check: (failure) => [...is(failure, "how", "failed"), ...threw(failure, /harm was done/)] }),
  clock: () => ({ code: 1, check: (failure) => threw(failure, /harm was done/) }),
  exit: () => ({ code: 1, check: (failure) => is(failure, "how", "left") }),
  kill: () => ({ code: 137, check: (failure) => is(failure, "signal", "SIGKILL") }),
  stop: () => ({ code: 69, check: (failure) => is(failure, "how", "frozen") }),
  memory: () => ({
    code: 133,
    check: ({ signal, hint }) => [
      ...(V8_SIGNALS.includes(signal ?? "") ? [] : [`signal ${signal}`]),
      ...(/memory/.test(hint ?? "") ? [] : [`no word about memory: ${hint}`]),
    ],
  }),
  connection: ({ hosts }) => ({
    code: 69,
    check: (failure) => hosts > 1 && failure.error?.name === "ConnectionLostError" ? [] : is(failure, "how", "cut off"),
  }),
  disk: () => ({ code: 1, check: (failure) => threw(failure, /No space left|Free space/) }),
  garbage: () => ({ code: 0 }),
  launcher: () => ({ code: 137 }),
};

/** Rank, step and operation. */
function checkPlace(fault: Fault, failure: Failure): string[] {
  const { kind, place, rank, step, hosts } = fault;
  // A cut connection has two ends.
  const problems = kind === "connection"
    ? []
    : [...is(failure, "rank", rank), ...(hosts > 1 ? is(failure, "host", `host${hostOf(fault)}`) : [])];
  if (kind === "disk" || place === "before setup" || place === "after the last step") return problems;
  if (place === "loader worker") return [...problems, ...is(failure, "operation", "loading a batch")];
  const operation = fault.program === "reduce"
    ? "training step"
    : place === "hook"
    ? "onTrainBatchEnd"
    : "trainingStep";
  // A rank whose connection is cut goes on to its next collective.
  if (kind === "connection") return problems;
  return [...problems, ...is(failure, "step", step), ...is(failure, "operation", operation)];
}

function is<K extends keyof Failure>(failure: Failure, key: K, value: Failure[K]): string[] {
  return failure[key] === value ? [] : [`${key} is ${JSON.stringify(failure[key])}, not ${JSON.stringify(value)}`];
}

function threw({ error }: Failure, message: RegExp): string[] {
  if (!error) return ["what it threw is not reported"];
  const hasStack = /\.ts:\d+:\d+/.test(error.stack);
  return [...(message.test(error.message) ? [] : [`error ${error.message}`]), ...(hasStack ? [] : ["no stack"])];
}
