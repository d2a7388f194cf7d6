import type { OpAttribute } from "./attributes.ts";
import type { NumericArray } from "./data_types.ts";

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

/** Values of this process that become a tensor. */
export interface HostValues {
  readonly shape: readonly number[];
  /** One of `DataType`. */
  readonly dataType: number;
  readonly values: NumericArray | readonly Uint8Array<ArrayBuffer>[];
}

/** Sees what passes through the binding, in order: what records a step is one. */
export interface OpObserver {
  /** An op ran and gave these tensors. */
  executed?(op: ExecutedOp): void;
  /** A tensor is about to be made of values of this process. Other values that come back take their place. */
  creating?(tensor: HostValues): HostValues["values"] | undefined;
  /** A tensor was made of values of this process. */
  created?(id: number): void;
  /** A tensor's values are about to be read. */
  reading?(id: number): void;
  /** A tensor is about to be freed. True: it is not; from now on the observer has to free it. */
  deleting?(id: number): boolean;
}
