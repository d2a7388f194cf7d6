import type { HostTensor } from "../../tensor/host_tensor.ts";
import type { Random } from "../../seed/random.ts";
import { type LookupPlan, Transform } from "./transform.ts";

/**
 * Transforms one after the other. A chain of lookups (ToTensor, Normalize, Flatten) becomes one table for a whole batch.
 *
 * @example
 * ```ts
 * import { Flatten, Normalize, ToTensor } from "weft";
 * const transform = new Compose([new ToTensor(), new Normalize(0.1307, 0.3081), new Flatten()]);
 * ```
 */
export class Compose extends Transform {
  readonly transforms: readonly Transform[];

  /** @throws {TypeError} if one is not a Transform; a function goes into `new Lambda(f)` */
  constructor(transforms: readonly Transform[]) {
    super();
    for (const [i, transform] of transforms.entries()) {
      if (!(transform instanceof Transform)) {
        throw new TypeError(
          `Compose: entry ${i} is not a Transform, but ${typeof transform}; wrap a function as \`new Lambda(f)\``,
        );
      }
    }
    this.transforms = [...transforms];
  }

  override apply(tensor: HostTensor, random: Random): HostTensor {
    for (const transform of this.transforms) tensor = transform.apply(tensor, random);
    return tensor;
  }

  override fuse(plan: LookupPlan): LookupPlan | undefined {
    let fused: LookupPlan | undefined = plan;
    for (const transform of this.transforms) {
      fused = transform.fuse(fused);
      if (!fused) return undefined;
    }
    return fused;
  }
}
