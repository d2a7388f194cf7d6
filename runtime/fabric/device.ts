import type { Accelerator } from "../accelerators/accelerator.ts";

/** Where this rank computes. */
export class Device {
  /** The accelerator, e.g. `"wasm"`. */
  readonly type: Accelerator["name"];
  /** Which of its devices, from 0. */
  readonly index: number;

  constructor(type: Accelerator["name"], index: number) {
    this.type = type;
    this.index = index;
    Object.freeze(this);
  }

  /** `"cuda:1"` */
  toString(): string {
    return `${this.type}:${this.index}`;
  }
}
