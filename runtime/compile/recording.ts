import type { OpAttribute } from "../accelerators/tensorflow/attributes.ts";
import type { HostValues } from "../accelerators/tensorflow/op_observer.ts";
import type { Exchange } from "../tensor/step_recording.ts";
import type { tf } from "../tensor/tf.ts";

/** Where a value of a recorded step comes from. One object stands for one value. */
export type Source =
  | { readonly kind: "argument"; readonly index: number; readonly dataType: number }
  /** The value of a variable, or its gradient, when the step begins. */
  | { readonly kind: "variable" | "gradient"; readonly variable: tf.Variable; readonly dataType: number }
  /** A tensor that is neither argument nor variable and was there before, by its number in the binding. */
  | { readonly kind: "captured"; readonly id: number; readonly dataType: number }
  | { readonly kind: "number"; readonly index: number }
  | { readonly kind: "integers"; readonly index: number }
  | { readonly kind: "exchanged"; readonly exchange: number; readonly index: number }
  | { readonly kind: "constant"; readonly value: HostValues; readonly madeAt: Error | undefined }
  | { readonly kind: "op"; readonly op: RecordedOp; readonly output: number };

/** One op of a recorded step. */
export interface RecordedOp {
  readonly name: string;
  readonly attributes: readonly OpAttribute[];
  readonly inputs: readonly Source[];
  /** The types of its outputs. */
  readonly outputs: readonly number[];
  /** How many exchanges were before it. */
  readonly part: number;
  readonly calledAt: Error;
}

/** What happens in every step besides the ops of a part, before they run. */
export type Action =
  | { readonly kind: "effect"; readonly run: () => void }
  | { readonly kind: "number"; readonly read: () => number }
  | { readonly kind: "integers"; readonly read: () => Int32Array<ArrayBuffer>; readonly length: number };

/** A result of the step that is a tensor. */
export interface RecordedResult {
  readonly source: Source;
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
}

/** Values that went out to the process, and those that came back. */
export interface RecordedExchange {
  readonly sources: readonly Source[];
  readonly results: readonly Source[];
  readonly run: Exchange;
}

/** Everything that one step did, as far as it matters to the next. */
export interface Recording {
  readonly ops: readonly RecordedOp[];
  /** What happens before each part; one more than there are exchanges. */
  readonly actions: readonly (readonly Action[])[];
  readonly exchanges: readonly RecordedExchange[];
  readonly afterwards: readonly (() => void)[];
  readonly checks: readonly { readonly source: Source; readonly inspect: (value: number) => void }[];
  readonly guards: readonly { readonly read: () => unknown; readonly value: unknown }[];
  /** What the step returned, with placeholders for tensors. */
  readonly returned: unknown;
  readonly results: readonly RecordedResult[];
  /** Variables that have another value afterwards. */
  readonly variables: ReadonlyMap<tf.Variable, Source>;
  /** Gradients that are others afterwards; undefined: there is none. */
  readonly gradients: ReadonlyMap<tf.Variable, Source | undefined>;
  /** For the variables whose gradients matter: whether there was one when the step began. */
  readonly gradientsBefore: ReadonlyMap<tf.Variable, boolean>;
}

/** Why a step cannot be recorded. */
export interface Obstacle {
  /** What was done, for people. */
  readonly reason: string;
  /** Where, if it is known: `file:line:column`. */
  readonly at: string | undefined;
  /** It may go another time: a first step makes what later ones use. */
  readonly passing?: boolean;
}
