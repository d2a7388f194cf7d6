import type { HostTensor } from "../../tensor/host_tensor.ts";
import { type LookupPlan, Transform } from "./transform.ts";

const SCALED = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/**
 * uint8 0 to 255 becomes float32 0 to 1; other numbers become float32 unscaled. The layout stays as it is: height, width, channels, as
 * TensorFlow.js wants it (torchvision's moves the channels to the front).
 *
 * @example
 * ```ts
 * const image = { dtype: "uint8" as const, shape: [1, 2, 1], data: Uint8Array.of(0, 255) };
 * console.assert(new ToTensor().apply(image).data[1] === 1);
 * ```
 */
export class ToTensor extends Transform {
  override apply(tensor: HostTensor): HostTensor {
    if (tensor.dtype === "float32") return tensor;
    if (tensor.dtype === "float16" || tensor.dtype === "bfloat16") {
      throw new TypeError(`ToTensor takes integers, float32 and float64, but got ${tensor.dtype}`);
    }
    const data = new Float32Array(tensor.data.length);
    if (tensor.dtype === "uint8") { for (let i = 0; i < data.length; i++) data[i] = SCALED[tensor.data[i] as number]; }
    else for (let i = 0; i < data.length; i++) data[i] = Number(tensor.data[i]);
    return { dtype: "float32", shape: tensor.shape, data };
  }

  override fuse(plan: LookupPlan): LookupPlan {
    return plan.tables ? plan : { ...plan, tables: [SCALED] };
  }
}
