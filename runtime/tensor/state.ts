import type { HostTensor } from "./host_tensor.ts";
import type { tf } from "./tf.ts";

/** A leaf of a state tree. Tensors are references to live ones when state is taken, HostTensors when it is read from a file. */
export type StateLeaf = null | boolean | number | string | bigint | tf.Tensor | HostTensor;

/** What is saved and loaded: plain records and arrays with values and tensors at the leaves. */
export type StateTree = StateLeaf | StateTree[] | { [key: string]: StateTree | undefined };

/** A record of state. */
export type StateDict = { [key: string]: StateTree | undefined };

/** What can be saved in a checkpoint and restored in place. */
export interface Stateful {
  /** References to the live state; nothing is copied or read back. */
  stateDict(): StateDict;
  /** Takes over what `state` holds. @throws if a key is missing or unexpected (unless `strict` is false), or a shape differs */
  loadStateDict(state: StateDict, options?: { strict?: boolean }): void;
  /** Where state is spread over the ranks: all of it on rank 0, which is what is saved. All ranks call it and wait. Default: what `stateDict` gives. */
  gatherStateDict?(): Promise<StateDict>;
  /** What of the state is on this rank, enough to put it back here. Default: what `stateDict` gives. */
  ownStateDict?(): StateDict;
}

/** True for objects with stateDict() and loadStateDict(). */
export function isStateful(value: unknown): value is Stateful {
  return typeof value === "object" && value !== null &&
    typeof (value as Stateful).stateDict === "function" && typeof (value as Stateful).loadStateDict === "function";
}
