import type { HostTensor } from "../../tensor/host_tensor.ts";
import type { Random } from "../../seed/random.ts";
import { Transform } from "./transform.ts";

/** A function of one's own as a transform. It must not change the tensor that it is given. */
export class Lambda extends Transform {
  readonly #function: (tensor: HostTensor, random: Random) => HostTensor;

  constructor(f: (tensor: HostTensor, random: Random) => HostTensor) {
    super();
    if (typeof f !== "function") throw new TypeError(`Lambda needs a function, but got ${typeof f}`);
    this.#function = f;
  }

  override apply(tensor: HostTensor, random: Random): HostTensor {
    return this.#function(tensor, random);
  }
}
