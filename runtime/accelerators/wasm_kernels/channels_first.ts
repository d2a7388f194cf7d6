import { type Kernel, release, type TensorInfo } from "../wasm_backend.ts";
import { type KernelMaker, runKernel } from "./registry.ts";

const TO_LAST = [0, 2, 3, 1], TO_FIRST = [0, 3, 1, 2];

/**
 * Lets a convolution or its gradient take images with channels first, by transposing what is made of images: `images` names those
 * inputs, and `result` says whether the result is one. Compiled code takes channels last only.
 */
export function channelsFirst(make: KernelMaker, images: readonly string[], result: boolean): KernelMaker {
  return (shipped): Kernel => {
    const channelsLast = make(shipped);
    return (call) => {
      const { inputs, attrs, backend } = call;
      if (attrs.dataFormat !== "NCHW") return channelsLast(call);
      const turned: TensorInfo[] = [];
      const turn = (x: TensorInfo, perm: number[]) => {
        const out = runKernel("Transpose", { inputs: { x }, attrs: { perm }, backend });
        turned.push(out);
        return out;
      };
      const operands = { ...inputs };
      for (const name of images) operands[name] = turn(inputs[name] as TensorInfo, TO_LAST);
      const { pad, inputShape } = attrs;
      try {
        const out = channelsLast({
          inputs: operands,
          attrs: {
            ...attrs,
            dataFormat: "NHWC",
            pad: Array.isArray(pad) ? TO_LAST.map((axis) => pad[axis]) : pad,
            inputShape: inputShape && TO_LAST.map((axis) => inputShape[axis]),
          },
          backend,
        }) as TensorInfo;
        if (!result) return out;
        turned.push(out);
        return runKernel("Transpose", { inputs: { x: out }, attrs: { perm: TO_FIRST }, backend });
      } finally {
        release(backend, ...turned);
      }
    };
  };
}

/** The shipped kernel itself. */
export const asShipped: KernelMaker = (shipped) => shipped!;

/**
 * Refuses images with channels first where the shipped kernel would take them for channels last, and where TensorFlow.js's gradient
 * forgets about them.
 */
export function channelsLastOnly(name: string): KernelMaker {
  return (shipped): Kernel => (call) => {
    const { dataFormat } = call.attrs;
    if (!dataFormat || dataFormat === "NHWC") return shipped!(call);
    throw new Error(
      `${name} on wasm takes images with channels last ("NHWC"), not ${
        JSON.stringify(dataFormat)
      }: transpose them first`,
    );
  };
}
