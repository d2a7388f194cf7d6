import type { HostTensor } from "../../tensor/host_tensor.ts";
import type { Random } from "../../seed/random.ts";

/**
 * What a chain of transforms does to uint8 values, where each output value depends on one input value (and its channel) alone:
 * then a whole batch is gathered and transformed in one pass through a table.
 */
export interface LookupPlan {
  /** The shape of a sample afterwards. */
  readonly shape: readonly number[];
  /** For each channel (the last dimension of the stored sample), or for all as one: what each byte becomes. Undefined: itself, a byte. */
  readonly tables?: readonly Float32Array[];
}

/** Changes one tensor of a sample, in the process's own memory. Never changes the tensor that it is given. */
export abstract class Transform {
  /**
   * @param tensor one sample's tensor, without a batch dimension
   * @param random where augmentations take their random numbers from
   */
  abstract apply(tensor: HostTensor, random: Random): HostTensor;

  /** The plan with this transform added, or undefined if this is no lookup. */
  fuse(_plan: LookupPlan): LookupPlan | undefined {
    return undefined;
  }
}
