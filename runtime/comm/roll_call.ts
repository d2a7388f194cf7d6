import { CollectiveMismatchError } from "../core/errors.ts";
import { describe } from "./frame.ts";
import type { Farewell, Report } from "./rank_messages.ts";

/** How a rank left. */
export interface Leaving extends Farewell {
  /** How many collectives it had finished. */
  readonly finished: number;
}

/** What this rank knows of where the others are: what they say they called, and who has left. */
export class RollCall {
  readonly #rank: number;
  readonly #worldSize: number;
  /** By the number of the collective and rank. */
  readonly #reports = new Map<number, Map<number, Report>>();
  /** By rank: the other collective that it was last heard to be in. */
  readonly #elsewhere = new Map<number, { sequence: number; report: Report }>();
  readonly #left = new Map<number, Leaving>();

  constructor(rank: number, worldSize: number) {
    this.#rank = rank;
    this.#worldSize = worldSize;
  }

  noteReport(source: number, sequence: number, report: Report): void {
    const known = this.#reports.get(sequence) ?? new Map<number, Report>();
    this.#reports.set(sequence, known.set(source, report));
  }

  /** A rank says that it is in a collective that this one has finished, or has not come to. */
  noteElsewhere(source: number, sequence: number, report: Report): void {
    this.#elsewhere.set(source, { sequence, report });
  }

  /** Where ranks were is not where they are. */
  forgetElsewhere(): void {
    this.#elsewhere.clear();
  }

  noteLeft(source: number, leaving: Leaving): void {
    this.#left.set(source, leaving);
  }

  hasLeft(rank: number): boolean {
    return this.#left.has(rank);
  }

  /** What the others say they called as this collective. */
  reports(sequence: number): Iterable<Report> {
    return this.#reports.get(sequence)?.values() ?? [];
  }

  /** Whether a rank has said what it called as this collective. */
  hasReported(sequence: number, rank: number): boolean {
    return this.#reports.get(sequence)?.has(rank) ?? false;
  }

  forget(sequence: number): void {
    this.#reports.delete(sequence);
  }

  /** A rank that left before it came to this collective. */
  deserter(sequence: number): Leaving & { rank: number } | undefined {
    for (const [rank, leaving] of this.#left) if (leaving.finished < sequence) return { rank, ...leaving };
    return undefined;
  }

  /** The ranks that have not said where they are, and have not left. */
  silent(sequence: number): number[] {
    const known = this.#reports.get(sequence);
    return this.#others().filter((rank) => !known?.has(rank) && !this.#left.has(rank) && !this.#elsewhere.has(rank));
  }

  /** In words, who keeps this collective from getting on, as far as it is known. */
  absentees(sequence: number): string {
    const silent = this.silent(sequence);
    const known = this.#reports.get(sequence);
    const behind = [...this.#elsewhere].filter(([rank, place]) =>
      place.sequence < sequence && !known?.has(rank) && !this.#left.has(rank)
    ).sort(([a], [b]) => a - b);
    const parts = [];
    if (silent.length > 0) parts.push(`not heard from ${list(silent)}`);
    if (behind.length > 0) {
      const [[, { sequence: at, report }]] = behind;
      const where = `in collective ${at}, ${describe(report.signature)}`;
      parts.push(`${list(behind.map(([rank]) => rank))} still ${behind.length === 1 ? "is" : "are"} ${where}`);
    }
    return parts.join("; ") || "all ranks are in it, but none gets on";
  }

  /** @param mine what this rank called */
  mismatch(sequence: number, mine: Omit<Report, "asks">): CollectiveMismatchError {
    const lines = Array.from({ length: this.#worldSize }, (_, rank) => {
      const report = rank === this.#rank ? mine : this.#reports.get(sequence)?.get(rank);
      if (report) return `  rank ${rank}: ${describe(report.signature)} at ${report.site}`;
      return this.#left.has(rank) ? `  rank ${rank}: left the group` : `  rank ${rank}: not heard from`;
    });
    return new CollectiveMismatchError(
      `ranks disagree about collective ${sequence} of the process group:\n${lines.join("\n")}\n` +
        "Every rank must call the same collectives in the same order, for the same purposes, with the same sizes and types.",
    );
  }

  #others(): number[] {
    return Array.from({ length: this.#worldSize }, (_, rank) => rank).filter((rank) => rank !== this.#rank);
  }
}

function list(ranks: readonly number[]): string {
  return `${ranks.length === 1 ? "rank" : "ranks"} ${ranks.join(", ")}`;
}
