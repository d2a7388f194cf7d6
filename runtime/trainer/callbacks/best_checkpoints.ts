import type { StateDict } from "../../tensor/state.ts";

/** The best checkpoints so far, by the value of the monitored metric. */
export class BestCheckpoints {
  readonly #size: number;
  readonly #mode: "min" | "max";
  readonly #scores = new Map<string, number>();

  /** @param size how many are kept, Infinity for all */
  constructor(size: number, mode: "min" | "max") {
    this.#size = size;
    this.#mode = mode;
  }

  /** Scores by path, in the order in which they were saved. */
  get scores(): ReadonlyMap<string, number> {
    return this.#scores;
  }

  /** The best, undefined if there is none. */
  get best(): { path: string; score: number } | undefined {
    return this.#extreme((score, other) => this.#isBetter(score, other));
  }

  /** The one that goes next, undefined as long as there is room. */
  get worst(): { path: string; score: number } | undefined {
    if (this.#scores.size < this.#size) return undefined;
    return this.#extreme((score, other) => this.#isBetter(other, score));
  }

  /** True if a checkpoint with this score would be kept. NaN is worse than everything. */
  accepts(score: number): boolean {
    if (this.#size === 0) return false;
    const worst = this.worst;
    return worst === undefined || this.#isBetter(this.comparable(score), worst.score);
  }

  /** The score as it is compared. */
  comparable(score: number): number {
    return Number.isNaN(score) ? (this.#mode === "min" ? Infinity : -Infinity) : score;
  }

  add(path: string, score: number): void {
    this.#scores.delete(path);
    this.#scores.set(path, this.comparable(score));
  }

  remove(path: string): void {
    this.#scores.delete(path);
  }

  stateDict(): StateDict {
    return { models: [...this.#scores].map(([path, score]) => ({ path, score })) };
  }

  loadStateDict(state: StateDict): void {
    this.#scores.clear();
    for (const { path, score } of state.models as { path: string; score: number }[]) this.#scores.set(path, score);
    while (this.#scores.size > this.#size) this.#scores.delete(this.worst!.path);
  }

  #isBetter(score: number, than: number): boolean {
    return this.#mode === "min" ? score < than : score > than;
  }

  #extreme(wins: (score: number, other: number) => boolean): { path: string; score: number } | undefined {
    let found: { path: string; score: number } | undefined;
    for (const [path, score] of this.#scores) if (!found || wins(score, found.score)) found = { path, score };
    return found;
  }
}
