import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import type { GradientOptimizer } from "../runtime/optim/gradient_optimizer.ts";
import { decisive, onEveryStep, stepRecorder } from "../runtime/tensor/step_recording.ts";
import type { tf } from "../runtime/tensor/tf.ts";
import { exchangeVariables } from "./exchange_variables.ts";
import { chunks, join, lengthOf, partsOf } from "./flat_variables.ts";
import { RankFlags } from "./rank_flags.ts";
import { SharedRoom } from "./shared_room.ts";
import type { OptimizerSynchronizer } from "./strategy.ts";

/** What ranks exchange here: the same whether a step, a recorded one or `synchronize` is what averages. */
const purpose = "the average of local SGD";

/** What a {@linkcode LocalOptimizer} is made of. */
export interface LocalOptimizerParts {
  readonly group: ProcessGroup;
  readonly flags: RankFlags;
  readonly optimizer: GradientOptimizer;
  /** How many steps ranks take alone before they average. */
  readonly localSteps: number;
  /** What else of the models is averaged. */
  readonly buffers: readonly tf.Variable[];
  /** True as long as ranks step with the mean of all gradients. */
  readonly isWarm: () => boolean;
}

/**
 * An optimizer that steps with this rank's gradients, and every few steps replaces what it updates, its state and the models' buffers by the mean over the
 * ranks, each weighted by the samples that it saw since the last time.
 */
export class LocalOptimizer implements OptimizerSynchronizer {
  readonly #parts: LocalOptimizerParts;
  readonly #room: SharedRoom;
  /** Steps since the ranks last averaged: as many on all of them. */
  #steps = 0;

  constructor(parts: LocalOptimizerParts) {
    this.#parts = parts;
    this.#room = new SharedRoom(parts.group, { purpose });
  }

  get differs(): boolean {
    return this.#steps > 0 && this.#parts.group.worldSize > 1;
  }

  async afterStep(): Promise<void> {
    const { isWarm, localSteps } = this.#parts;
    if (decisive(isWarm)) return;
    const isDue = decisive(() => this.#steps + 1 >= localSteps);
    if (isDue) await this.#average({ carriesFlags: true });
    onEveryStep(() => void (this.#steps = isDue ? 0 : this.#steps + 1));
  }

  async agree(): Promise<void> {
    if (this.#steps === 0) return;
    // Flags wait for an average that all ranks expect: who looks at them does so after a step.
    await this.#average({ carriesFlags: false });
    this.#steps = 0;
  }

  async #average({ carriesFlags }: { carriesFlags: boolean }): Promise<void> {
    if (this.#parts.group.worldSize === 1) return;
    let factor = 1;
    const meet = async () => {
      factor = await this.#meet(carriesFlags);
      await this.#catchUp();
    };
    // A step that is recorded has made all of its state; in it everything happens in exchanges.
    const isRecorded = stepRecorder() !== undefined;
    if (!isRecorded) await meet();
    const pieces = this.#pieces(), most = Math.max(...pieces.map(lengthOf));
    for (const [index, piece] of pieces.entries()) {
      await exchangeVariables({ sent: piece, received: piece }, async (values) => {
        if (isRecorded && index === 0) await meet();
        await this.#room.reserve(most);
        const array = join(this.#room.take(lengthOf(piece)), values);
        await this.#mean(array, factor);
        return partsOf(array, piece);
      });
    }
  }

  /** What is averaged, in pieces that travel one after the other. */
  #pieces(): tf.Variable[][] {
    const { optimizer, buffers } = this.#parts;
    const all = [...optimizer.parameters, ...buffers, ...optimizer.stateVariables];
    return chunks(all.filter(({ dtype }) => dtype === "float32"), ({ size }) => size * 4);
  }

  async #mean(array: Float32Array<ArrayBuffer>, factor: number): Promise<void> {
    // A rank without samples may hold what is not finite, which times 0 would not be 0.
    if (factor === 0) array.fill(0);
    else if (factor !== 1) { for (let i = 0; i < array.length; i++) array[i] *= factor; }
    await this.#parts.group.allReduce(array, { op: "mean", purpose });
  }

  /** Waits for the other ranks, and exchanges what travels with an average. Returns what this rank's values are to be multiplied by. */
  async #meet(carriesFlags: boolean): Promise<number> {
    const { group: { rank, worldSize }, group, flags } = this.#parts;
    const head = new Float32Array(2 * worldSize + RankFlags.length);
    const samples = head.subarray(0, worldSize), waits = head.subarray(worldSize, 2 * worldSize);
    const raised = head.subarray(2 * worldSize);
    flags.samples.write(samples, rank);
    flags.waits.write(waits, rank);
    if (carriesFlags) flags.write(raised);
    const waited = flags.waits.begin();
    await group.allReduce(head, { op: "mean", purpose });
    waited();
    const { before } = flags.samples.read(samples, rank);
    flags.waits.read(waits);
    if (carriesFlags) flags.read(raised);
    return before;
  }

  /** Ranks that had fewer batches, or none, get the others' counts of steps, and room for their state. */
  async #catchUp(): Promise<void> {
    const { group, optimizer } = this.#parts, { stepCounts } = optimizer;
    const bounds = Int32Array.from([...stepCounts, ...stepCounts.map((count) => -count)]);
    await group.allReduce(bounds, { op: "max", purpose });
    const most = [...bounds.subarray(0, stepCounts.length)];
    if (most.every((count, i) => count === -bounds[stepCounts.length + i])) return;
    const names = await group.allGatherObjects(optimizer.stateNames, { purpose });
    const stateNames = most.map((_, i) =>
      names.reduce((some, of) => of[i].length > some.length ? of[i] : some, names[0][i])
    );
    optimizer.catchUp({ stepCounts: most, stateNames });
  }
}
