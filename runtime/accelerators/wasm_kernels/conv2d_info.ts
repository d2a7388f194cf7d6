import { tf } from "../../tensor/tf.ts";
import type { KernelCall } from "../wasm_backend.ts";

/** Sizes of a two-dimensional convolution (or window) over a batch of images, channels last. */
export type Conv2DInfo = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

/** The sizes of the convolution whose gradient is asked for. @throws where channels come first, as the forward kernel does */
export function gradientInfo(
  name: string,
  xShape: number[],
  filterShape: number[],
  attrs: KernelCall["attrs"],
  depthwise = false,
): Conv2DInfo {
  const { strides, dilations, pad, dimRoundingMode, dataFormat } = attrs;
  if (dataFormat && dataFormat !== "NHWC") {
    throw new Error(`${name} on wasm takes images with channels last ("NHWC"), not ${JSON.stringify(dataFormat)}`);
  }
  return tf.backend_util.computeConv2DInfo(
    xShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    depthwise,
  );
}
