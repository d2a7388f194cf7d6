import type { HostTensor } from "../../tensor/host_tensor.ts";
import { type LookupPlan, Transform } from "./transform.ts";

/** Any shape becomes one dimension; the values stay where they are. */
export class Flatten extends Transform {
  override apply(tensor: HostTensor): HostTensor {
    return { ...tensor, shape: [tensor.data.length] };
  }

  override fuse(plan: LookupPlan): LookupPlan {
    return { ...plan, shape: [plan.shape.reduce((a, b) => a * b, 1)] };
  }
}
