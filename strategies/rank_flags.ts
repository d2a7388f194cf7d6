import { RankSamples } from "./rank_samples.ts";
import { RankWaits } from "./rank_waits.ts";

/** What a rank may tell the others without a message of its own. */
export type RankFlag = "stop" | "checkpoint" | "nonFinite" | "measure";

const FLAGS: readonly RankFlag[] = ["stop", "checkpoint", "nonFinite", "measure"];

/**
 * Flags that travel with the gradients: raised on any rank, they read the same on all ranks after the next backward pass that
 * synchronises, so that all ranks act on them at the same step.
 */
export class RankFlags {
  /** How many numbers they take in a bucket. */
  static readonly length = FLAGS.length;
  /** What travels with them: of how many samples each rank's gradients are. */
  readonly samples: RankSamples = new RankSamples();
  /** And how long each rank waited. */
  readonly waits: RankWaits = new RankWaits();
  readonly #raised = new Set<RankFlag>();
  #agreed: ReadonlySet<RankFlag> = new Set();

  /** Raises a flag on this rank, until the next synchronised backward has carried it. */
  raise(flag: RankFlag): void {
    this.#raised.add(flag);
  }

  /** What any rank had raised by the last backward pass that synchronised. */
  get agreed(): ReadonlySet<RankFlag> {
    return this.#agreed;
  }

  /** Begins a backward pass that synchronises: what the one before agreed on is forgotten. Several models may follow, each with its own flags. */
  begin(): void {
    this.#agreed = new Set();
  }

  /** Adds a flag that all ranks came to by themselves, from what they all have. */
  note(flag: RankFlag): void {
    this.#agreed = new Set([...this.#agreed, flag]);
  }

  /** Writes this rank's flags, as 1 and 0, and lowers them. */
  write(target: Float32Array): void {
    for (const [index, flag] of FLAGS.entries()) target[index] = this.#raised.has(flag) ? 1 : 0;
    this.#raised.clear();
  }

  /** Adds what the ranks' flags were reduced to: anything above 0 was raised somewhere. */
  read(source: Float32Array): void {
    this.#agreed = new Set([...this.#agreed, ...FLAGS.filter((_, index) => source[index] > 0)]);
  }
}
