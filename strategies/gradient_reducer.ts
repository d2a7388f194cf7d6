import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import { gradientOf, setGradient } from "../runtime/tensor/gradients.ts";
import { type StepRecorder, stepRecorder } from "../runtime/tensor/step_recording.ts";
import { noGrad } from "../runtime/tensor/tape.ts";
import { tf } from "../runtime/tensor/tf.ts";
import { BucketBuffer } from "./bucket_buffer.ts";
import type { Bucket } from "./bucket_plan.ts";
import type { HostWaits } from "./host_waits.ts";
import type { MeanExchange } from "./mean_exchange.ts";
import type { RankFlags } from "./rank_flags.ts";
import type { SampleShare } from "./rank_samples.ts";
import type { BackwardPass } from "./strategy.ts";

/** Whom gradients are averaged with, and what travels with them. */
export interface Ranks {
  readonly group: ProcessGroup;
  readonly exchange: MeanExchange;
  readonly flags: RankFlags;
  /** Looks after what goes between hosts, if there are several. */
  readonly hosts: HostWaits | undefined;
}

/**
 * Averages gradients over the ranks, bucket by bucket, in the order of the plan on every rank.
 *
 * A bucket leaves as soon as its last gradient is there and all buckets before it have left. A variable that got no gradient
 * is sent as zeros with its flag down, so that plans never differ between ranks; if no rank has one it stays without.
 *
 * The mean is that over samples. With as many on every rank that is the mean over the ranks. A rank without any sends zeros, and the mean over
 * the others follows from the sum. Where ranks have different numbers, which they learn from the first bucket, the buckets travel a second time,
 * each rank's gradients multiplied by its share of the samples: usually in the last step of an epoch alone.
 */
export class GradientReducer {
  readonly #ranks: Ranks;
  readonly #variables: readonly tf.Variable[];
  readonly #buffers: readonly BucketBuffer[];
  readonly #placeOf = new Map<tf.Variable, { bucket: number; slot: number }>();
  #busy = false;
  #hasMoved = false;

  constructor(ranks: Ranks, variables: readonly tf.Variable[], buckets: readonly Bucket[]) {
    this.#ranks = ranks;
    this.#variables = variables;
    // A model without parameters still has flags to carry.
    const carriers = buckets.length > 0 ? buckets : [{ slots: [], length: 0 }];
    const { worldSize } = ranks.group;
    this.#buffers = carriers.map((bucket, index) =>
      new BucketBuffer(bucket, { isFirst: index === 0, isLast: index === carriers.length - 1, worldSize })
    );
    for (const [bucketIndex, { slots }] of buckets.entries()) {
      for (const [slot, { variable }] of slots.entries()) {
        this.#placeOf.set(variables[variable], { bucket: bucketIndex, slot });
      }
    }
  }

  /** True if exactly these variables are planned for, in this order. */
  covers(variables: readonly tf.Variable[]): boolean {
    return variables.length === this.#variables.length && variables.every((v, i) => v === this.#variables[i]);
  }

  /** Gives back the memory that it shares with other ranks. */
  [Symbol.dispose](): void {
    for (const buffer of this.#buffers) buffer[Symbol.dispose]();
  }

  /** Begins one round. @throws if the round before has not finished: two would mix their gradients */
  begin(): BackwardPass {
    if (this.#busy) {
      throw new Error(
        "backward was called while an earlier one had not finished: `await fabric.backward(…)` before the next",
      );
    }
    this.#busy = true;
    const recorder = stepRecorder();
    if (recorder) return { gradientReady() {}, finish: () => this.#finishRecorded(recorder) };
    const waiting = this.#buffers.map(({ bucket }) => bucket.slots.length);
    const seen = new Set<tf.Variable>();
    const reductions: Promise<void>[] = [];
    this.#ranks.flags.begin();
    const launch = (through: number) => {
      while (reductions.length <= through) reductions.push(this.#reduce(this.#buffers[reductions.length]));
    };
    return {
      gradientReady: (variable) => {
        const place = this.#placeOf.get(variable);
        if (!place || seen.has(variable)) return;
        seen.add(variable);
        waiting[place.bucket]--;
        while (reductions.length < waiting.length && waiting[reductions.length] === 0) launch(reductions.length);
      },
      finish: async () => {
        try {
          launch(this.#buffers.length - 1);
          await this.#settle(reductions);
          await this.#stepped();
        } finally {
          // A failed reduction leaves others behind that nobody awaits any more.
          await Promise.allSettled(reductions);
          this.#busy = false;
        }
      },
    };
  }

  /** Waits for the reductions and puts the mean over the samples in place. */
  async #settle(reductions: readonly Promise<void>[]): Promise<void> {
    const waited = this.#ranks.flags.waits.begin();
    await reductions[0];
    const { after, again } = this.#readSamples();
    if (again === undefined) {
      for (const [index, reduction] of reductions.entries()) {
        await reduction;
        this.#putBack(this.#buffers[index], after);
      }
      return waited();
    }
    await Promise.all(reductions);
    waited();
    await this.#inOrder((buffer) => {
      const reads = this.#readGradients(buffer, again);
      return this.#ranks.exchange.average(buffer.gradients, {
        ready: reads.length > 0 ? Promise.all(reads) : undefined,
      });
    });
    for (const buffer of this.#buffers) this.#putBack(buffer, 1);
  }

  /** Sends all buckets, one after the other, and waits for them. */
  async #inOrder(send: (buffer: BucketBuffer, index: number) => Promise<void>): Promise<void> {
    const reductions = this.#buffers.map(send);
    try {
      for (const reduction of reductions) await reduction;
    } finally {
      await Promise.allSettled(reductions);
    }
  }

  /**
   * What ranks do together after a step, whether it is recorded or not. After the first the buckets move to where they need not be copied to be
   * reduced: a plan can be made where nothing can be awaited, and may never be used.
   */
  async #stepped(): Promise<void> {
    await this.#ranks.hosts?.stepped();
    if (this.#hasMoved) return;
    this.#hasMoved = true;
    for (const buffer of this.#buffers) {
      const room = await this.#ranks.exchange.memoryFor(buffer.data.length);
      if (room) buffer.moveTo(room);
    }
  }

  #readSamples(): SampleShare {
    const { group, flags } = this.#ranks;
    return flags.samples.read(this.#buffers[0].samples!, group.rank);
  }

  /** What travels behind the gradients of a bucket, besides whether they are there. */
  #writeTail({ samples, flags, waits }: BucketBuffer): void {
    const { group, flags: word } = this.#ranks;
    if (samples) word.samples.write(samples, group.rank);
    if (flags) word.write(flags);
    if (waits) word.waits.write(waits, group.rank);
  }

  #readTail({ flags, waits }: BucketBuffer): void {
    if (flags) this.#ranks.flags.read(flags);
    if (waits) this.#ranks.flags.waits.read(waits);
  }

  /** The same traffic for a step that is recorded: all buckets leave when the whole backward pass is done, each as one tensor. */
  async #finishRecorded(recorder: StepRecorder): Promise<void> {
    try {
      const missing = this.#variables.find((variable) => !gradientOf(variable));
      if (missing) recorder.fail(`gives the parameter ${missing.name} no gradient, which another rank may have`);
      const present = this.#variables.map((variable) => gradientOf(variable) !== undefined);
      const flat = noGrad(() => this.#buffers.map(({ bucket }) => tf.tidy(() => this.#flatten(bucket))));
      const reduced = await recorder.exchange(flat, (arrays) => this.#average(arrays, present));
      noGrad(() => {
        for (const [index, { bucket, data }] of this.#buffers.entries()) {
          for (const [slot, { variable: variableIndex, offset, length }] of bucket.slots.entries()) {
            if (data[bucket.length + slot] === 0) continue;
            const variable = this.#variables[variableIndex];
            setGradient(
              variable,
              tf.tidy(() => tf.reshape(tf.slice(reduced[index], [offset], [length]), variable.shape)),
            );
          }
        }
      });
      for (const tensor of [...flat, ...reduced]) tensor.dispose();
    } finally {
      this.#busy = false;
    }
  }

  #flatten({ slots }: Bucket): tf.Tensor1D {
    const pieces = slots.map(({ variable, length }): tf.Tensor1D =>
      gradientOf(this.#variables[variable])?.reshape<tf.Tensor1D>([length]) ?? tf.zeros([length])
    );
    return tf.concat([...pieces, tf.zeros([0])]);
  }

  async #average(
    arrays: readonly Float32Array<ArrayBuffer>[],
    present: readonly boolean[],
  ): Promise<Float32Array<ArrayBuffer>[]> {
    this.#ranks.flags.begin();
    const waited = this.#ranks.flags.waits.begin();
    await this.#inOrder((buffer, index) => {
      const { bucket, data, gradients } = buffer;
      gradients.set(arrays[index]);
      for (const [slot, { variable }] of bucket.slots.entries()) data[bucket.length + slot] = present[variable] ? 1 : 0;
      this.#writeTail(buffer);
      return this.#ranks.exchange.average(data, { exact: data.length - bucket.length });
    });
    waited();
    const { after, again } = this.#readSamples();
    for (const buffer of this.#buffers) this.#readTail(buffer);
    if (again !== undefined) {
      await this.#inOrder(({ gradients }, index) => {
        for (let i = 0; i < gradients.length; i++) gradients[i] = arrays[index][i] * again;
        return this.#ranks.exchange.average(gradients);
      });
    } else if (after !== 1) { for (const { gradients } of this.#buffers) multiply(gradients, after); }
    const reduced = this.#buffers.map(({ gradients }) => gradients);
    await this.#stepped();
    return reduced;
  }

  #reduce(buffer: BucketBuffer): Promise<void> {
    const { bucket, data } = buffer;
    for (const [index, { variable }] of bucket.slots.entries()) {
      data[bucket.length + index] = gradientOf(this.#variables[variable]) ? 1 : 0;
    }
    const reads = this.#readGradients(buffer);
    this.#writeTail(buffer);
    return this.#ranks.exchange.average(data, {
      exact: data.length - bucket.length,
      ready: reads.length > 0 ? Promise.all(reads) : undefined,
    });
  }

  /** Puts this rank's gradients, multiplied, into a bucket. Returns what is still under way. */
  #readGradients({ bucket, data }: BucketBuffer, factor = 1): Promise<void>[] {
    const reads: Promise<void>[] = [];
    const put = (values: Float32Array, offset: number) => {
      data.set(values, offset);
      if (factor !== 1) multiply(data.subarray(offset, offset + values.length), factor);
    };
    for (const { variable, offset, length } of bucket.slots) {
      const gradient = gradientOf(this.#variables[variable]);
      if (!gradient) data.fill(0, offset, offset + length);
      else if (tf.getBackend() === "webgpu") {
        reads.push(gradient.data<"float32">().then((values) => put(values, offset)));
      } else put(gradient.dataSync<"float32">(), offset);
    }
    return reads;
  }

  #putBack(buffer: BucketBuffer, factor: number): void {
    const { bucket, data, gradients } = buffer;
    this.#readTail(buffer);
    if (factor !== 1) multiply(gradients, factor);
    for (const [index, { variable: variableIndex, offset, length }] of bucket.slots.entries()) {
      if (data[bucket.length + index] === 0) continue;
      const variable = this.#variables[variableIndex];
      // A copy, because some backends read the array only when the tensor is first used.
      setGradient(variable, tf.tensor(data.slice(offset, offset + length), variable.shape, "float32"));
    }
  }
}

function multiply(values: Float32Array, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i] *= factor;
}
