import type { HostTensor } from "../../tensor/host_tensor.ts";
import { type LookupPlan, Transform } from "./transform.ts";

/**
 * (value - mean) / std, for each channel (the last dimension) or with one mean and std for all. Takes float32: put `ToTensor` before it.
 *
 * @example
 * ```ts
 * const normalize = new Normalize([0.1307], [0.3081]); // MNIST's
 * ```
 */
export class Normalize extends Transform {
  readonly mean: readonly number[];
  readonly std: readonly number[];

  /**
   * @param mean one number, or one for each channel
   * @param std the same
   * @throws {RangeError} if they differ in length, are not finite, or a std is not above 0
   */
  constructor(mean: number | readonly number[], std: number | readonly number[]) {
    super();
    this.mean = typeof mean === "number" ? [mean] : [...mean];
    this.std = typeof std === "number" ? [std] : [...std];
    if (this.mean.length === 0 || this.mean.length !== this.std.length) {
      throw new RangeError(
        `Normalize needs as many means as stds, one for each channel, but got ${this.mean.length} and ${this.std.length}`,
      );
    }
    if (!this.mean.every(Number.isFinite)) throw new RangeError(`Normalize: means must be finite, but got [${mean}]`);
    if (!this.std.every((s) => Number.isFinite(s) && s > 0)) {
      throw new RangeError(`Normalize: stds must be finite and above 0, but got [${std}]`);
    }
  }

  override apply(tensor: HostTensor): HostTensor {
    if (tensor.dtype !== "float32") {
      throw new TypeError(`Normalize takes float32, but got ${tensor.dtype}: put ToTensor before it`);
    }
    const channels = this.mean.length;
    const last = tensor.shape.at(-1) ?? 1;
    if (channels > 1 && last !== channels) {
      throw new RangeError(
        `Normalize has ${channels} means, but the tensor of shape [${tensor.shape}] has ${last} channels (its last dimension)`,
      );
    }
    const from = tensor.data as Float32Array;
    const data = new Float32Array(from.length);
    for (let i = 0; i < data.length; i++) {
      const c = channels === 1 ? 0 : i % channels;
      data[i] = (from[i] - this.mean[c]) / this.std[c];
    }
    return { dtype: "float32", shape: tensor.shape, data };
  }

  override fuse(plan: LookupPlan): LookupPlan | undefined {
    const { tables } = plan;
    if (!tables) return undefined;
    const channels = this.mean.length;
    if (channels > 1 && (plan.shape.at(-1) !== channels || (tables.length > 1 && tables.length !== channels))) {
      return undefined;
    }
    const count = Math.max(channels, tables.length);
    return {
      ...plan,
      tables: Array.from({ length: count }, (_, c) => {
        const mean = this.mean[channels === 1 ? 0 : c], std = this.std[channels === 1 ? 0 : c];
        return tables[tables.length === 1 ? 0 : c].map((value) => (value - mean) / std);
      }),
    };
  }
}
