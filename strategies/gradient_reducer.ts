import type { ProcessGroup } from "../runtime/comm/process_group.ts";
import { gradientOf, setGradient } from "../runtime/tensor/gradients.ts";
import { type StepRecorder, stepRecorder } from "../runtime/tensor/step_recording.ts";
import { noGrad } from "../runtime/tensor/tape.ts";
import { tf } from "../runtime/tensor/tf.ts";
import type { Bucket } from "./bucket_plan.ts";
import type { MeanExchange } from "./mean_exchange.ts";
import { RankFlags } from "./rank_flags.ts";
import type { BackwardPass } from "./strategy.ts";

/** Whom gradients are averaged with, and what travels with them. */
export interface Ranks {
  readonly group: ProcessGroup;
  readonly exchange: MeanExchange;
  readonly flags: RankFlags;
}

/** A bucket's memory: the gradients, then one number a variable that tells whether this rank has a gradient for it; the last bucket ends with the ranks' flags. */
interface BucketBuffer {
  readonly bucket: Bucket;
  readonly data: Float32Array<ArrayBuffer>;
  readonly flags: Float32Array | undefined;
}

/**
 * Averages gradients over the ranks, bucket by bucket, in the order of the plan on every rank.
 *
 * A bucket leaves as soon as its last gradient is there and all buckets before it have left. A variable that got no gradient
 * is sent as zeros with its flag down, so that plans never differ between ranks; if no rank has one it stays without.
 */
export class GradientReducer {
  readonly #ranks: Ranks;
  readonly #variables: readonly tf.Variable[];
  readonly #buffers: readonly BucketBuffer[];
  readonly #placeOf = new Map<tf.Variable, { bucket: number; slot: number }>();
  #busy = false;

  constructor(ranks: Ranks, variables: readonly tf.Variable[], buckets: readonly Bucket[]) {
    this.#ranks = ranks;
    this.#variables = variables;
    // A model without parameters still has flags to carry.
    const carriers = buckets.length > 0 ? buckets : [{ slots: [], length: 0 }];
    this.#buffers = carriers.map((bucket, index) => {
      const flags = index === carriers.length - 1 ? RankFlags.length : 0;
      const data = new Float32Array(bucket.length + bucket.slots.length + flags);
      return { bucket, data, flags: flags > 0 ? data.subarray(-flags) : undefined };
    });
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
          for (const [index, reduction] of reductions.entries()) {
            await reduction;
            this.#putBack(this.#buffers[index]);
          }
        } finally {
          // A failed reduction leaves others behind that nobody awaits any more.
          await Promise.allSettled(reductions);
          this.#busy = false;
        }
      },
    };
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
    const reductions = this.#buffers.map(({ bucket, data, flags }, index) => {
      data.set(arrays[index]);
      for (const [slot, { variable }] of bucket.slots.entries()) data[bucket.length + slot] = present[variable] ? 1 : 0;
      if (flags) this.#ranks.flags.write(flags);
      return this.#ranks.exchange.average(data, { exact: data.length - bucket.length });
    });
    try {
      for (const reduction of reductions) await reduction;
    } finally {
      // A failed reduction leaves others behind that nobody awaits any more.
      await Promise.allSettled(reductions);
    }
    for (const { flags } of this.#buffers) if (flags) this.#ranks.flags.read(flags);
    return this.#buffers.map(({ bucket, data }) => data.subarray(0, bucket.length));
  }

  #reduce({ bucket, data, flags }: BucketBuffer): Promise<void> {
    const reads: Promise<void>[] = [];
    for (const [index, { variable, offset, length }] of bucket.slots.entries()) {
      const gradient = gradientOf(this.#variables[variable]);
      data[bucket.length + index] = gradient ? 1 : 0;
      if (!gradient) data.fill(0, offset, offset + length);
      else if (tf.getBackend() === "webgpu") {
        reads.push(gradient.data<"float32">().then((values) => data.set(values, offset)));
      } else data.set(gradient.dataSync<"float32">(), offset);
    }
    if (flags) this.#ranks.flags.write(flags);
    return this.#ranks.exchange.average(data, {
      exact: data.length - bucket.length,
      ready: reads.length > 0 ? Promise.all(reads) : undefined,
    });
  }

  #putBack({ bucket, data, flags }: BucketBuffer): void {
    if (flags) this.#ranks.flags.read(flags);
    for (const [index, { variable: variableIndex, offset, length }] of bucket.slots.entries()) {
      if (data[bucket.length + index] === 0) continue;
      const variable = this.#variables[variableIndex];
      // A copy, because some backends read the array only when the tensor is first used.
      setGradient(variable, tf.tensor(data.slice(offset, offset + length), variable.shape, "float32"));
    }
  }
}
