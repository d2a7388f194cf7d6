import type { OpAttribute } from "./attributes.ts";

/** What tfjs is told of a tensor that an op made. */
export interface TensorMetadata {
  id: number;
  shape: number[];
  /** One of `DataType`. */
  dtype: number;
}

/** One op that ran. The arrays belong to the caller of the op: copy what is kept. */
export interface ExecutedOp {
  readonly name: string;
  readonly attributes: readonly OpAttribute[];
  readonly inputs: readonly number[];
  readonly outputs: readonly TensorMetadata[];
}

/** Sees what passes through the binding, in order: what records a step is one. */
export interface OpObserver {
  /** An op ran and gave these tensors. */
  executed?(op: ExecutedOp): void;
  /** A tensor was made of values of this process. */
  created?(id: number): void;
  /** A tensor's values are about to be read. */
  reading?(id: number): void;
  /** A tensor is about to be freed. True: it is not; from now on the observer has to free it. */
  deleting?(id: number): boolean;
}
