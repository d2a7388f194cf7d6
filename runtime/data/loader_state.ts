import type { HostTensor } from "../tensor/host_tensor.ts";
import type { StateDict } from "../tensor/state.ts";
import { checkEpoch } from "./samplers/sampler.ts";

/** The batches of an epoch that cannot be drawn again, as they are saved. */
export function encodeBatches(batches: readonly Uint32Array[]): { sizes: HostTensor; indices: HostTensor } {
  const sizes = Int32Array.from(batches, (batch) => batch.length);
  const indices = new Int32Array(sizes.reduce((a, b) => a + b, 0));
  let at = 0;
  for (const batch of batches) {
    indices.set(batch, at);
    at += batch.length;
  }
  return {
    sizes: { dtype: "int32", shape: [sizes.length], data: sizes },
    indices: { dtype: "int32", shape: [indices.length], data: indices },
  };
}

/** The batches that a state holds, if it does. */
export function decodeBatches(state: StateDict): Uint32Array[] | undefined {
  if (!state.indices || !state.sizes) return undefined;
  const indices = (state.indices as HostTensor).data as Int32Array;
  let at = 0;
  return Array.from(
    (state.sizes as HostTensor).data as Int32Array,
    (size) => Uint32Array.from(indices.subarray(at, at += size)),
  );
}

/**
 * Where a loader's state lies, checked against the loader that takes it over.
 * @param now.length batches in an epoch; null if unknown
 */
export function positionIn(
  state: StateDict,
  now: { length: number | null; strict: boolean },
): { epoch: number; batch: number } {
  const epoch = checkEpoch("DataLoader.loadStateDict", state.epoch as number);
  const batch = state.batch as number;
  if (!Number.isInteger(batch) || batch < 0) {
    throw new RangeError(`DataLoader.loadStateDict: \`batch\` must be an integer from 0, but got ${String(batch)}`);
  }
  if (batch === 0 || state.length === now.length) return { epoch, batch };
  if (!now.strict) return { epoch, batch: 0 };
  throw new RangeError(
    `DataLoader.loadStateDict: the state is of batch ${batch} of ${state.length}, but this loader has ${now.length} batches an epoch; ` +
      "use the same dataset, batch size and world size, or pass { strict: false } to start the epoch anew",
  );
}
