import type { HostTensor } from "../../tensor/host_tensor.ts";
import type { Random } from "../../seed/random.ts";
import { newArrayLike } from "../host_values.ts";
import { Transform } from "./transform.ts";

/** Mirrors an image (height, width, channels) with a probability. */
export class RandomHorizontalFlip extends Transform {
  readonly probability: number;

  /** @param probability Default: 0.5. @throws {RangeError} if it is not between 0 and 1 */
  constructor(probability = 0.5) {
    super();
    if (!(probability >= 0 && probability <= 1)) {
      throw new RangeError(`RandomHorizontalFlip: the probability must be from 0 to 1, but got ${probability}`);
    }
    this.probability = probability;
  }

  override apply(tensor: HostTensor, random: Random): HostTensor {
    if (tensor.shape.length !== 3) {
      throw new RangeError(`RandomHorizontalFlip takes [height, width, channels], but got [${tensor.shape}]`);
    }
    if (random.uniform() >= this.probability) return tensor;
    const [height, width, channels] = tensor.shape;
    const data = newArrayLike(tensor.data, tensor.data.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = (y * width + x) * channels, to = (y * width + width - 1 - x) * channels;
        for (let c = 0; c < channels; c++) data[to + c] = tensor.data[from + c];
      }
    }
    return { ...tensor, data };
  }
}
