import type { HostTensor } from "../../tensor/host_tensor.ts";
import type { Random } from "../../seed/random.ts";
import { newArrayLike } from "../host_values.ts";
import { Transform } from "./transform.ts";

/** Options of {@linkcode RandomCrop}. */
export interface RandomCropOptions {
  /** Rows and columns of zeros put around the image first. Default: 0. */
  padding?: number;
}

/** Cuts a piece out of an image (height, width, channels) at a random place. */
export class RandomCrop extends Transform {
  readonly size: readonly [number, number];
  readonly padding: number;

  /** @param size height and width of the piece, or one number for both */
  constructor(size: number | readonly [number, number], options: RandomCropOptions = {}) {
    super();
    this.size = typeof size === "number" ? [size, size] : [size[0], size[1]];
    this.padding = options.padding ?? 0;
    if (!this.size.every((n) => Number.isInteger(n) && n > 0)) {
      throw new RangeError(`RandomCrop: the size must be positive integers, but got [${this.size}]`);
    }
    if (!Number.isInteger(this.padding) || this.padding < 0) {
      throw new RangeError(`RandomCrop: \`padding\` must be an integer from 0, but got ${this.padding}`);
    }
  }

  override apply(tensor: HostTensor, random: Random): HostTensor {
    const [height, width, channels] = tensor.shape;
    const [cropHeight, cropWidth] = this.size;
    const roomY = height + 2 * this.padding - cropHeight, roomX = width + 2 * this.padding - cropWidth;
    if (tensor.shape.length !== 3 || roomY < 0 || roomX < 0) {
      throw new RangeError(
        `RandomCrop of [${this.size}] with a padding of ${this.padding} takes [height, width, channels] at least as large, but got [${tensor.shape}]`,
      );
    }
    const top = random.integer(roomY + 1) - this.padding, left = random.integer(roomX + 1) - this.padding;
    const data = newArrayLike(tensor.data, cropHeight * cropWidth * channels);
    for (let y = Math.max(0, -top); y < cropHeight && top + y < height; y++) {
      for (let x = Math.max(0, -left); x < cropWidth && left + x < width; x++) {
        const from = ((top + y) * width + left + x) * channels, to = (y * cropWidth + x) * channels;
        for (let c = 0; c < channels; c++) data[to + c] = tensor.data[from + c];
      }
    }
    return { dtype: tensor.dtype, shape: [cropHeight, cropWidth, channels], data };
  }
}
