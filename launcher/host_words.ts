/**
 * What launchers of several hosts say to each other, as it is read: whatever was written, what comes out has the right types and can be
 * printed, compared and counted. The store bounds how long a value is.
 */
import type { Activity } from "../runtime/core/activity_page.ts";
import { UNAVAILABLE } from "../runtime/core/exit_codes.ts";
import type { HostFacts } from "./host_facts.ts";
import { fromJsonBytes } from "./json_bytes.ts";
import type { Category, FailureCause } from "./outcome.ts";
import { readRankError } from "./rank_error.ts";
import type { Observation } from "./rank_watch.ts";
import type { Ended } from "./worst_of.ts";

/** What a launcher says when it comes. */
export interface Wish {
  readonly localWorldSize: number;
  readonly host: string;
  readonly facts: HostFacts;
}

/** What the launcher of node 0 answers. */
export interface Decision {
  readonly nodes: number[];
  /** What they are called, in the same order. */
  readonly hosts: string[];
  /** Why nobody can start. */
  readonly problem?: string;
}

/** What a launcher is told to end its ranks for. */
export interface Told {
  readonly node: number;
  readonly message: string;
  /** The node that does not answer, if that is what failed. */
  readonly lost?: number;
  /** The node that wants to join, if that is all. */
  readonly joins?: number;
  /** What keeps the run from going on, if no launcher sees it by itself. */
  readonly stuck?: Omit<FailureCause, "exitCode">;
}

/** What one launcher has seen of its ranks. */
export interface Sight {
  /** Counts what it has told. */
  readonly count: number;
  readonly ranks: readonly Observation[];
}

/** Names of hosts, and what is longer than a line. */
const LONGEST_NAME = 255, LONGEST_MESSAGE = 4_000;
const CATEGORIES: readonly string[] = [
  "finished",
  "resumable",
  "stopped",
  "rank",
  "infrastructure",
] satisfies Category[];
const HOWS: readonly string[] = ["failed", "frozen", "left", "cut off"] satisfies FailureCause["how"][];

type Fields = Readonly<Record<string, unknown>>;

/** @returns undefined if it is none: then nobody has come */
export function readWish(bytes: Uint8Array): Wish | undefined {
  const { localWorldSize, host, facts } = fieldsOf(bytes);
  const count = whole(localWorldSize);
  if (count === undefined) return undefined;
  return {
    localWorldSize: count,
    host: text(host, LONGEST_NAME) ?? "?",
    facts: Object.fromEntries(
      Object.entries(record(facts)).filter(([, value]) => typeof value === "string"),
    ) as HostFacts,
  };
}

/** @throws RangeError if it is none: without it nobody knows who takes part */
export function readDecision(bytes: Uint8Array): Decision {
  const { nodes, hosts, problem } = fieldsOf(bytes);
  const read = {
    nodes: list(nodes).flatMap((node) => whole(node) ?? []),
    hosts: list(hosts).map((host) => text(host, LONGEST_NAME) ?? "?"),
    problem: text(problem, LONGEST_MESSAGE),
  };
  const isWhole = new Set(read.nodes).size === list(nodes).length && read.hosts.length === read.nodes.length;
  if (isWhole && (read.nodes.length > 0 || read.problem !== undefined)) return read;
  throw new RangeError(
    "What the launcher of node 0 decided about who takes part cannot be read: is it of the same version?",
  );
}

/** What cannot be read ends the run too: something happened. */
export function readTold(bytes: Uint8Array): Told {
  const { node, message, lost, joins, stuck } = fieldsOf(bytes);
  return {
    // None has this number, so that nobody takes it for his own.
    node: whole(node) ?? -1,
    message: text(message, LONGEST_MESSAGE) ?? "another launcher ended the run, and why it did cannot be read",
    lost: whole(lost),
    joins: whole(joins),
    stuck: causeOf(stuck),
  };
}

/** How a node's part ended. What cannot be read is taken for a failure of what the run stands on. */
export function readEnded(bytes: Uint8Array, node: number): Ended {
  const { host, exitCode, category, cause, signal, joins } = fieldsOf(bytes);
  const code = whole(exitCode), isKnown = CATEGORIES.includes(category as string) && code !== undefined && code <= 255;
  const failed = causeOf(cause);
  return {
    node,
    host: text(host, LONGEST_NAME) ?? "?",
    exitCode: isKnown ? code : UNAVAILABLE,
    category: isKnown ? category as Category : "infrastructure",
    cause: failed && { ...failed, exitCode: whole(record(cause).exitCode) ?? 1 },
    signal: text(signal, LONGEST_NAME),
    joins: joins === true,
  };
}

/** What cannot be read is nothing. */
export function readSight(bytes: Uint8Array): Sight {
  const { count, ranks } = fieldsOf(bytes);
  return {
    count: whole(count) ?? 0,
    ranks: list(ranks).flatMap((one): Observation[] => {
      const { rank, exitCode, endedMs, stoppedMs, idleMs, activity } = record(one);
      const number = whole(rank), doing = activityOf(activity);
      if (number === undefined || doing === undefined) return [];
      const times = { endedMs: amount(endedMs), stoppedMs: amount(stoppedMs), idleMs: amount(idleMs) };
      return [{ rank: number, exitCode: whole(exitCode), ...times, activity: doing }];
    }),
  };
}

function causeOf(value: unknown): Omit<FailureCause, "exitCode"> | undefined {
  const { rank, how, signal, error, activity, host } = record(value);
  const number = whole(rank);
  if (number === undefined || !HOWS.includes(how as string)) return undefined;
  return {
    rank: number,
    how: how as FailureCause["how"],
    signal: text(signal, LONGEST_NAME),
    error: readRankError(error),
    activity: activityOf(activity),
    host: text(host, LONGEST_NAME),
  };
}

function activityOf(value: unknown): Activity | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { step, operation, collective, joined, progress } = record(value);
  const { kind, sequence, waitsFor, round } = record(collective);
  const name = text(kind, LONGEST_NAME);
  return {
    step: whole(step),
    operation: text(operation, LONGEST_NAME),
    collective: name === undefined
      ? undefined
      : { kind: name, sequence: amount(sequence), waitsFor: whole(waitsFor), round: whole(round) },
    joined: joined === true,
    progress: amount(progress),
  };
}

function fieldsOf(bytes: Uint8Array): Fields {
  try {
    return record(fromJsonBytes<unknown>(bytes));
  } catch {
    return {};
  }
}

function record(value: unknown): Fields {
  return typeof value === "object" && value !== null ? value as Fields : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown, longest: number): string | undefined {
  return typeof value === "string" ? value.slice(0, longest) : undefined;
}

/** A whole number from 0 up. */
function whole(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && value as number >= 0 ? value as number : undefined;
}

function amount(value: unknown): number {
  return typeof value === "number" && value >= 0 ? value : 0;
}
