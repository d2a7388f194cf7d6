/** Stands for a number of samples that is not known. */
const UNKNOWN = -1;

/** What makes of the ranks' gradients the mean over all samples. */
export interface SampleShare {
  /** The plain mean over the ranks has to be multiplied by this; 1 if every rank has as many samples. */
  readonly after: number;
  /** If given, the plain mean is of no use: this rank's gradients have to be multiplied by this and averaged anew. */
  readonly again: number | undefined;
  /** What this rank's own has to be multiplied by before the plain mean is taken, where the numbers are known before. A rank without samples has 0, unless none has any. */
  readonly before: number;
}

/**
 * Of how many samples each rank's gradients are the mean. The numbers travel with the gradients, one for each rank; a rank without a batch has 0
 * and does not count. As long as all ranks have as many samples, or one does not know how many, the mean over the ranks that have any is taken.
 */
export class RankSamples {
  #own = UNKNOWN;
  #isCarried = true;
  #counts: readonly number[] = [];

  /**
   * Adds a batch of this rank to what the next synchronised backward is of.
   * @param count 0 for none; undefined if it is not known
   */
  add(count: number | undefined): void {
    if (this.#isCarried) this.#own = 0;
    this.#isCarried = false;
    this.#own = count === undefined || this.#own === UNKNOWN ? UNKNOWN : this.#own + count;
  }

  /** What this rank has added since the last synchronised backward, as {@linkcode add} takes it. */
  get pending(): number | undefined {
    return this.#isCarried ? 0 : this.#own === UNKNOWN ? undefined : this.#own;
  }

  /** True if some rank had a batch, or does not know, in the last backward pass that synchronised. */
  get hasAny(): boolean {
    return this.#counts.some((count) => count !== 0);
  }

  /** Of a step without an exchange nobody knows how many samples it has. */
  skip(): void {
    this.#counts = [UNKNOWN];
  }

  /** Writes this rank's number into its place. What is added from now on belongs to the next backward, but several models may follow in this one. */
  write(target: Float32Array, rank: number): void {
    target.fill(0);
    target[rank] = this.#own;
    this.#isCarried = true;
  }

  /** Reads the mean of what the ranks wrote: each number divided by how many ranks there are. */
  read(source: Float32Array, rank: number): SampleShare {
    const worldSize = source.length;
    this.#counts = Array.from(source, (mean) => Math.round(mean * worldSize));
    return shareOf(this.#counts, rank);
  }
}

function shareOf(counts: readonly number[], rank: number): SampleShare {
  const some = counts.filter((count) => count !== 0);
  if (some.length === 0) return { after: 1, again: undefined, before: 1 };
  if (some.includes(UNKNOWN) || some.every((count) => count === some[0])) {
    const after = counts.length / some.length;
    return { after, again: undefined, before: counts[rank] === 0 ? 0 : after };
  }
  const total = some.reduce((sum, count) => sum + count, 0);
  const again = counts[rank] * counts.length / total;
  return { after: 1, again, before: again };
}
