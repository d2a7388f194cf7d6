import type { ErrorReport } from "../../launcher/error_report.ts";
import { type Expected, isAbsent } from "./expectation.ts";
import { expectedOnHost } from "./expected_on_host.ts";
import type { Fault } from "./fault.ts";

type Failure = NonNullable<ErrorReport["failure"]>;

/** How V8 ends a process whose heap is full. */
const V8_SIGNALS = ["SIGTRAP", "SIGILL", "SIGABRT"];

/** Says what must come of a launcher in a run with this fault: its exit code, and the true cause in its report. */
export function expectedOf(fault: Fault, host: number): Expected {
  const { kind, maxRestarts } = fault;
  if (kind === "host") return expectedOnHost(fault, host);
  const { code, check } = FAULTS[kind](fault);
  if (!check) return { exitCode: code, check: isAbsent };
  return {
    exitCode: maxRestarts > 0 ? 0 : code,
    check: (report) => {
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
  connection: () => ({ code: 69, check: (failure) => is(failure, "how", "cut off") }),
  disk: () => ({ code: 1, check: (failure) => threw(failure, /No space left|Free space/) }),
  garbage: () => ({ code: 0 }),
  launcher: () => ({ code: 137 }),
};

/** Rank, step and operation. */
function checkPlace(fault: Fault, failure: Failure): string[] {
  const { kind, place, rank, step } = fault;
  // A cut connection has two ends.
  const problems = kind === "connection" ? [] : is(failure, "rank", rank);
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
