import { mapTree } from "./map_tree.ts";
import { closest } from "../core/suggest.ts";
import { fromHost } from "../tensor/read.ts";
import { isHostTensor } from "../tensor/host_tensor.ts";
import { isStateful, type StateDict, type Stateful, type StateTree } from "../tensor/state.ts";
import { noGrad } from "../tensor/tape.ts";
import { tf } from "../tensor/tf.ts";

/** Decides which entries of one part's state are saved. */
export type StateFilter = Readonly<Record<string, (name: string, value: StateTree | undefined) => boolean>>;

/**
 * The state of everything in `state`: objects with `stateDict()` give theirs, plain values are taken as they are. State that is
 * spread over the ranks is gathered on rank 0: all ranks call it.
 * @throws TypeError if the filter names a key that is not there or is no function
 */
export async function collectState(
  state: Readonly<Record<string, unknown>>,
  filter: StateFilter = {},
): Promise<StateDict> {
  for (const [key, keep] of Object.entries(filter)) {
    if (!(key in state)) {
      throw new TypeError(
        `The filter key \`${key}\` is not present in the state, which has: ${Object.keys(state).join(", ")}`,
      );
    }
    if (typeof keep !== "function") {
      throw new TypeError(
        `Expected \`fabric.save(…, { filter })\` for key \`${key}\` to be a function, but got ${typeof keep}`,
      );
    }
  }
  const collected: StateDict = {};
  for (const [key, value] of Object.entries(state)) {
    const part = isStateful(value) ? await value.gatherStateDict?.() ?? value.stateDict() : value as StateTree;
    const keep: StateFilter[string] | undefined = filter[key];
    collected[key] = keep !== undefined && typeof part === "object" && part !== null
      ? Object.fromEntries(Object.entries(part).filter(([name, entry]) => keep(name, entry as StateTree)))
      : part;
  }
  return collected;
}

/**
 * Puts what a checkpoint holds into `state`, in place, and returns what was not asked for.
 * Nothing is changed if a requested key is missing or one of the parts does not fit: those restored before it are put back.
 * @throws Error if `strict` and a key of `state` is not in the checkpoint
 */
export function applyState(
  checkpoint: StateDict,
  state: Record<string, unknown>,
  options: { strict: boolean },
): StateDict {
  for (const key of Object.keys(state)) {
    if (!options.strict || Object.hasOwn(checkpoint, key)) continue;
    const meant = closest(key, Object.keys(checkpoint));
    throw new Error(
      `The requested state contains a key "${key}" that does not exist in the loaded checkpoint${
        meant ? ` (did you mean "${meant}"?)` : `, which has: ${Object.keys(checkpoint).join(", ")}`
      }. To disable strict loading, set \`strict: false\`.`,
    );
  }
  const leftover: StateDict = { ...checkpoint };
  const requested = Object.entries(state).filter(([key]) => Object.hasOwn(checkpoint, key));
  // What can refuse its part goes first, so that plain values need no way back.
  const restored: [Stateful, StateDict][] = [];
  try {
    for (const [key, target] of requested) {
      if (!isStateful(target)) continue;
      restored.push([target, copyOf(target.ownStateDict?.() ?? target.stateDict())]);
      target.loadStateDict(checkpoint[key] as StateDict, { strict: options.strict });
    }
  } catch (error) {
    for (const [target, before] of restored.reverse()) target.loadStateDict(before, { strict: false });
    throw error;
  } finally {
    for (const [, before] of restored) tf.dispose(before as tf.TensorContainer);
  }
  for (const [key, target] of requested) {
    const value = checkpoint[key];
    delete leftover[key];
    if (isStateful(target)) continue;
    if (target instanceof tf.Variable && isHostTensor(value)) tf.tidy(() => target.assign(fromHost(value)));
    else if (target instanceof tf.Tensor && isHostTensor(value)) state[key] = fromHost(value);
    else state[key] = value;
  }
  return leftover;
}

/** The state with tensors of its own, which share their data with the others until those change. */
function copyOf(state: StateDict): StateDict {
  const isTensor = (value: unknown) => value instanceof tf.Tensor;
  return noGrad(() => mapTree(state, isTensor, (tensor) => tensor.clone())) as StateDict;
}
