/**
 * Where code that is part of a training step says what a recording of the step has to know: which numbers change from step to step, which do
 * not but decide what is computed, what else happens in every step. Without a recording all of this costs next to nothing.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { tf } from "./tf.ts";

/** What records a step. Its methods are called in the order in which the step runs. */
export interface StepRecorder {
  /** A scalar whose value is read anew in every step. */
  number(read: () => number): tf.Scalar;
  /** An int32 tensor of one dimension whose values are read anew in every step; their count stays. */
  integers(read: () => Int32Array<ArrayBuffer>): tf.Tensor1D;
  /** As {@linkcode number}, for a tensor that is there already: it holds `read()` now, and will be replaced when that changes. */
  standsFor(tensor: tf.Tensor, read: () => number): void;
  /** The recording holds as long as `read` gives the same value (by `Object.is`) at the start of a step. */
  guard(read: () => unknown): void;
  /** Runs with every step, at this point of it. It may not compute with tensors. */
  effect(run: () => void): void;
  /** As {@linkcode effect}, at the end of the step. */
  afterwards(run: () => void): void;
  /** Hands tensors of the step, and what else is to be known of them, to their receiver when the step is over. `note` is the same in every step. */
  outcome(receiver: StepReceiver, tensors: Readonly<Record<string, tf.Tensor>>, note?: unknown): void;
  /** Looks at the value of a scalar in every step; if it throws, the step does so and changes nothing. */
  check(scalar: tf.Tensor, inspect: (value: number) => void): void;
  /**
   * Hands float32 tensors of one dimension to the process and goes on with what comes back, of the same lengths in every step. The step is cut in two here.
   */
  exchange(tensors: readonly tf.Tensor[], run: Exchange): Promise<tf.Tensor1D[]>;
  /** Runs code that belongs to the recorder's own work: what it reads and computes is no part of the step. */
  unseen<T>(run: () => T): T;
  /** While `run` computes, the number `mark` in a tensor made of one number is replaced by what `read` gives, and −`mark` by −`read()`. */
  marked<T>(mark: number, read: () => number, run: () => T): T;
  /** The step cannot be recorded; it runs on as it is. */
  fail(reason: string): void;
}

/** Gets what a step computes for it but may not keep itself, such as what is logged or counted by a metric. */
export interface StepReceiver {
  /** Called when the step is over. The tensors belong to the scope around the step. */
  receiveOutcome(tensors: Readonly<Record<string, tf.Tensor>>, note: unknown): void;
}

/** What {@linkcode StepRecorder.outcome} was given. */
export interface StepOutcome {
  readonly receiver: StepReceiver;
  readonly tensors: Readonly<Record<string, tf.Tensor>>;
  readonly note: unknown;
}

/** Takes the values of tensors, in arrays that it may change, and gives those to go on with. */
export type Exchange = (values: Float32Array<ArrayBuffer>[]) => Promise<Float32Array<ArrayBuffer>[]>;

const recording = new AsyncLocalStorage<StepRecorder | undefined>();
let recordings = 0;

/** What records the step that calls this, over its awaits too; undefined: nobody does. */
export function stepRecorder(): StepRecorder | undefined {
  return recordings === 0 ? undefined : recording.getStore();
}

/** Runs a step that is recorded. Whatever else the process does meanwhile is none of the recorder's business. */
export async function recordedBy<T>(recorder: StepRecorder, step: () => T | Promise<T>): Promise<T> {
  recordings++;
  try {
    return await recording.run(recorder, step);
  } finally {
    recordings--;
  }
}

/**
 * A number that is another one in every step, such as a learning rate: itself, or in a recording a scalar that stands for it. To compute
 * with tensors only.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * let rate = 0.1;
 * const halved = () => tf.mul(tf.ones([2]), changing(() => rate / 2)).dataSync();
 * console.assert(Math.abs(halved()[0] - 0.05) < 1e-7);
 * ```
 */
export function changing(read: () => number): number | tf.Scalar {
  return stepRecorder()?.number(read) ?? read();
}

/** A value that decides what is computed: a recording is used only as long as it stays. */
export function decisive<T>(read: () => T): T {
  stepRecorder()?.guard(read);
  return read();
}

/** Does something now and, where the step is recorded, at the same point of every step. It may not compute with tensors. */
export function onEveryStep(run: () => void): void {
  const recorder = stepRecorder();
  if (recorder) recorder.effect(run);
  else run();
}
