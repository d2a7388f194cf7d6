import type { OpAttribute } from "./attributes.ts";
import type { TensorflowBinding } from "./binding.ts";
import { AttributeType, DataType } from "./data_types.ts";
import type { TensorMetadata } from "./op_observer.ts";

/** A convolution whose filter is spread out, one filter a channel. */
export interface DilatedDepthwise {
  readonly attributes: readonly OpAttribute[];
  /** Input, of shape [batch, height, width, channels], and filter, of shape [height, width, channels, multiplier]. */
  readonly inputs: readonly number[];
}

/** Whether an op is a depthwise convolution with dilations, channels last. */
export function isDilatedDepthwise(name: string, attributes: readonly OpAttribute[]): boolean {
  if (name !== "DepthwiseConv2dNative" || valueOf(attributes, "data_format") === "NCHW") return false;
  return dilationsOf(attributes).some((dilation) => dilation > 1);
}

/**
 * Runs it without dilations, which TensorFlow's kernel knows only where oneDNN is in use (by default on newer
 * processors only).
 * The input is dealt out into a batch of images, each of the cells that one filter position sees, as `tf.nn.depthwise_conv2d` does in Python
 * (`with_space_to_batch`).
 *
 * @returns the output, which belongs to the caller
 * @throws Error with TensorFlow's message, e.g. for an input that is smaller than the filter; nothing is left behind
 */
export function runDilatedDepthwise(
  binding: TensorflowBinding,
  { attributes, inputs: [input, filter] }: DilatedDepthwise,
): TensorMetadata[] {
  const dilations = dilationsOf(attributes);
  const size = binding.shapeOf(input).slice(1, 3), window = binding.shapeOf(filter).slice(0, 2);
  const paddings: number[] = [], crops: number[] = [];
  for (const [axis, dilation] of dilations.entries()) {
    const [before, after] = paddingOf(attributes, { axis, reach: (window[axis] - 1) * dilation });
    const length = before + size[axis] + after;
    const extra = Math.ceil(length / dilation) * dilation - length;
    paddings.push(before, after + extra);
    crops.push(0, extra);
  }
  const type = attributes.filter(({ name }) => name === "T");
  const made: number[] = [];
  const own = (id: number) => (made.push(id), id);
  const integers = (shape: number[], values: number[]) =>
    own(binding.createTensor(shape, DataType.INT32, Int32Array.from(values)));
  const attributesOf = (block: string, moves: string): OpAttribute[] => [
    ...type,
    { name: block, type: AttributeType.TYPE, value: DataType.INT32 },
    { name: moves, type: AttributeType.TYPE, value: DataType.INT32 },
  ];
  try {
    const block = integers([2], dilations);
    const [dealt] = binding.executeOp("SpaceToBatchND", attributesOf("Tblock_shape", "Tpaddings"), [
      input,
      block,
      integers([2, 2], paddings),
    ], 1);
    own(dealt.id);
    const undilated = attributes.filter(({ name }) => name !== "explicit_paddings").map((attribute) =>
      attribute.name === "dilations"
        ? { ...attribute, value: [1, 1, 1, 1] }
        : attribute.name === "padding"
        ? { ...attribute, value: "VALID" }
        : attribute
    );
    const [convolved] = binding.executeOp("DepthwiseConv2dNative", undilated, [dealt.id, filter], 1);
    own(convolved.id);
    return binding.executeOp("BatchToSpaceND", attributesOf("Tblock_shape", "Tcrops"), [
      convolved.id,
      block,
      integers([2, 2], crops),
    ], 1);
  } finally {
    for (const id of made) binding.deleteTensor(id);
  }
}

/** Of height and width. */
function dilationsOf(attributes: readonly OpAttribute[]): number[] {
  return (valueOf(attributes, "dilations") as number[] | undefined)?.slice(1, 3) ?? [1, 1];
}

/** The cells added before and after; `reach` is from the first to the last cell of the filter. */
function paddingOf(
  attributes: readonly OpAttribute[],
  { axis, reach }: { axis: number; reach: number },
): [number, number] {
  switch (valueOf(attributes, "padding")) {
    case "SAME":
      return [reach >> 1, reach - (reach >> 1)];
    case "EXPLICIT":
      return (valueOf(attributes, "explicit_paddings") as number[]).slice(2 + 2 * axis, 4 + 2 * axis) as [
        number,
        number,
      ];
    default:
      return [0, 0];
  }
}

function valueOf(attributes: readonly OpAttribute[], name: string): unknown {
  return attributes.find((attribute) => attribute.name === name)?.value;
}
