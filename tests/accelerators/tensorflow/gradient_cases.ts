import { tf } from "../../../runtime/tensor/tf.ts";

type Tensor = ReturnType<typeof tf.tensor>;

/** An expression of one or two tensors, whose value and gradients are to be the same on every backend. */
export interface GradientCase {
  name: string;
  /** Shapes of the arguments. */
  shapes: number[][];
  /** Where the arguments' values lie. Default: -2 to 2. */
  range?: [low: number, high: number];
  /** tfjs itself has no gradient for it (nor for what it is made of, or not where it broadcasts): only the value is compared. */
  valueOnly?: true;
  f: (...args: Tensor[]) => Tensor;
}

const t = tf as unknown as Record<string, (...args: unknown[]) => Tensor>;
const POSITIVE: [number, number] = [0.3, 2.5], INSIDE: [number, number] = [-0.9, 0.9];

const unary = (names: string[], range?: [number, number]): GradientCase[] =>
  names.map((name) => ({ name, shapes: [[3, 4]], range, f: (x) => t[name](x) }));
const binary = (names: string[], range?: [number, number]): GradientCase[] =>
  names.map((name) => ({ name, shapes: [[3, 4], [3, 4]], range, f: (a, b) => t[name](a, b) }));
const broadcast = (names: string[], more: Partial<GradientCase> = {}): GradientCase[] =>
  names.map((name) => ({
    name: `${name}, broadcast`,
    shapes: [[2, 3, 4], [3, 1]],
    f: (a, b) => t[name](a, b),
    ...more,
  }));
const indices = (...values: number[]) => tf.tensor1d(values, "int32");

/** Every differentiable operation that tfjs's tensorflow and cpu backends both have. */
export const GRADIENT_CASES: readonly GradientCase[] = [
  ...unary([
    ...[
      "abs",
      "neg",
      "square",
      "exp",
      "expm1",
      "sin",
      "cos",
      "tan",
      "sinh",
      "cosh",
      "tanh",
      "atan",
      "asinh",
      "sigmoid",
    ],
    ...["logSigmoid", "softplus", "relu", "relu6", "elu", "selu", "leakyRelu", "erf", "floor", "ceil", "sign", "step"],
    ...["softmax", "logSoftmax", "sum", "mean", "max", "min", "logSumExp", "round", "zerosLike", "onesLike", "clone"],
  ]),
  ...unary(["log", "log1p", "sqrt", "rsqrt", "reciprocal", "prod"], POSITIVE),
  ...unary(["acos", "asin", "atanh"], INSIDE),
  ...unary(["acosh"], [1.2, 3]),
  ...binary(["add", "sub", "mul", "maximum", "minimum", "squaredDifference", "atan2"]),
  ...binary(["div", "pow", "mod", "floorDiv"], POSITIVE),
  ...broadcast(["add", "sub", "mul", "atan2"]),
  ...broadcast(["div", "pow", "mod", "floorDiv"], { range: POSITIVE }),
  ...broadcast(["maximum", "minimum", "squaredDifference", "divNoNan", "greater", "lessEqual"], { valueOnly: true }),
  { name: "prelu", shapes: [[3, 4], [4]], f: (x, alpha) => tf.prelu(x, alpha) },
  { name: "addN", shapes: [[3, 4], [3, 4]], f: (a, b) => tf.addN([a, b, a]) },
  { name: "clipByValue", shapes: [[3, 4]], f: (x) => tf.clipByValue(x, -1, 1) },
  {
    name: "where",
    shapes: [[3, 4], [3, 4]],
    f: (a, b) => tf.where(tf.range(0, 12).reshape([3, 4]).greater(5), a.mul(2), b),
  },
  { name: "dot", shapes: [[4], [4]], f: (a, b) => tf.dot(a, b) },
  { name: "outer product", shapes: [[3], [4]], f: (a, b) => tf.outerProduct(a as never, b as never) },
  ...[[false, false], [true, false], [false, true], [true, true]].map(([a, b]): GradientCase => ({
    name: `matMul, transposed ${a} and ${b}`,
    shapes: [a ? [2, 4, 3] : [2, 3, 4], b ? [2, 5, 4] : [2, 4, 5]],
    f: (x, y) => tf.matMul(x, y, a, b),
  })),
  {
    name: "matMul of a batch and a matrix",
    valueOnly: true,
    shapes: [[2, 3, 4], [4, 5]],
    f: (x, y) => tf.matMul(x, y),
  },
  { name: "einsum", valueOnly: true, shapes: [[2, 3], [3, 4]], f: (x, y) => tf.einsum("ij,jk->ik", x, y) },
  {
    name: "fused.matMul with bias and relu",
    shapes: [[3, 4], [4, 5]],
    f: (a, b) => tf.fused.matMul({ a, b, bias: tf.ones([5]), activation: "relu" } as never),
  },
  { name: "sum along an axis", shapes: [[2, 3, 4]], f: (x) => tf.sum(x, 1, true) },
  { name: "mean along two axes", shapes: [[2, 3, 4]], f: (x) => tf.mean(x, [0, 2]) },
  { name: "max along an axis", shapes: [[2, 3, 4]], f: (x) => tf.max(x, 1) },
  { name: "min along an axis", shapes: [[2, 3, 4]], f: (x) => tf.min(x, -1) },
  { name: "prod along an axis", shapes: [[2, 3, 4]], range: POSITIVE, f: (x) => tf.prod(x, 1) },
  { name: "logSumExp along an axis", shapes: [[2, 3, 4]], f: (x) => tf.logSumExp(x, 1) },
  { name: "moments", shapes: [[2, 3, 4]], f: (x) => tf.moments(x, [0]).variance },
  { name: "norm", shapes: [[3, 4]], f: (x) => tf.norm(x) },
  { name: "cumsum", shapes: [[3, 4]], f: (x) => tf.cumsum(x, 1, true, true) },
  { name: "reshape", shapes: [[3, 4]], f: (x) => tf.reshape(x, [2, 6]).square() },
  { name: "expandDims", shapes: [[3, 4]], f: (x) => tf.expandDims(x, 1).square() },
  { name: "transpose", shapes: [[2, 3, 4]], f: (x) => tf.transpose(x, [2, 0, 1]).square() },
  { name: "concat", shapes: [[2, 3], [2, 2]], f: (a, b) => tf.concat([a, b], 1).square() },
  { name: "stack", shapes: [[2, 3], [2, 3]], f: (a, b) => tf.stack([a, b], 1).square() },
  { name: "unstack", shapes: [[3, 4]], f: (x) => tf.unstack(x)[1].square() },
  { name: "split", shapes: [[4, 6]], f: (x) => tf.split(x, [1, 2, 3], 1)[2].square() },
  { name: "slice", shapes: [[4, 5]], f: (x) => tf.slice(x, [1, 2], [2, 3]).square() },
  { name: "pad", shapes: [[2, 3]], f: (x) => tf.pad(x, [[1, 0], [0, 2]]).square() },
  { name: "mirrorPad", shapes: [[3, 3]], f: (x) => tf.mirrorPad(x, [[0, 0], [0, 0]], "reflect").square() },
  { name: "tile", shapes: [[2, 3]], f: (x) => tf.tile(x, [2, 3]).square() },
  { name: "reverse", shapes: [[2, 3]], f: (x) => tf.reverse(x, 1).mul(tf.range(0, 6).reshape([2, 3])) },
  { name: "broadcastTo", shapes: [[1, 3]], f: (x) => tf.broadcastTo(x, [4, 3]).square() },
  { name: "gather", shapes: [[4, 3]], f: (x) => tf.gather(x, indices(0, 2, 2, 3)).square() },
  { name: "gather along an axis", shapes: [[2, 4]], f: (x) => tf.gather(x, indices(3, 0, 3), 1).square() },
  { name: "unsortedSegmentSum", shapes: [[4, 2]], f: (x) => tf.unsortedSegmentSum(x, indices(0, 1, 0, 2), 3).square() },
  { name: "cast", shapes: [[3, 4]], f: (x) => tf.cast(x, "float32").square() },
  { name: "oneHot times", shapes: [[3, 4]], f: (x) => x.mul(tf.oneHot(indices(1, 0, 3), 4)) },
  { name: "spaceToBatchND", shapes: [[1, 4, 4, 1]], f: (x) => tf.spaceToBatchND(x, [2, 2], [[0, 0], [0, 0]]).square() },
  { name: "batchToSpaceND", shapes: [[4, 2, 2, 1]], f: (x) => tf.batchToSpaceND(x, [2, 2], [[0, 0], [0, 0]]).square() },
  ...(["same", "valid"] as const).flatMap((pad): GradientCase[] => [
    {
      name: `conv2d, ${pad}`,
      shapes: [[2, 6, 6, 3], [3, 3, 3, 4]],
      f: (x, w) => tf.conv2d(x as never, w as never, 1, pad),
    },
    {
      name: `conv2d of stride 2, ${pad}`,
      shapes: [[2, 7, 7, 2], [3, 3, 2, 3]],
      f: (x, w) => tf.conv2d(x as never, w as never, 2, pad),
    },
    {
      name: `conv1d, ${pad}`,
      shapes: [[2, 8, 3], [3, 3, 4]],
      f: (x, w) => tf.conv1d(x as never, w as never, 1, pad),
    },
    {
      name: `conv3d, ${pad}`,
      shapes: [[1, 4, 4, 4, 2], [2, 2, 2, 2, 3]],
      f: (x, w) => tf.conv3d(x as never, w as never, 1, pad),
    },
    {
      name: `depthwiseConv2d, ${pad}`,
      shapes: [[2, 6, 6, 3], [3, 3, 3, 2]],
      f: (x, w) => tf.depthwiseConv2d(x as never, w as never, 1, pad),
    },
    // An odd filter and an even one, in sizes that the dilations do not divide.
    ...[[3, 3, 3, 2], [2, 3, 3, 1]].map((filter): GradientCase => ({
      name: `depthwiseConv2d of a [${filter}] filter, dilated, ${pad}`,
      valueOnly: true,
      shapes: [[2, 8, 7, 3], filter],
      f: (x, w) => tf.depthwiseConv2d(x as never, w as never, 1, pad, "NHWC", [3, 2]),
    })),
    { name: `maxPool, ${pad}`, shapes: [[2, 5, 5, 3]], f: (x) => tf.maxPool(x as tf.Tensor4D, 2, 2, pad).square() },
    { name: `avgPool, ${pad}`, shapes: [[2, 4, 6, 3]], f: (x) => tf.avgPool(x as tf.Tensor4D, 2, 2, pad).square() },
    {
      name: `maxPool3d, ${pad}`,
      shapes: [[1, 4, 4, 4, 2]],
      f: (x) => tf.maxPool3d(x as tf.Tensor5D, 2, 2, pad).square(),
    },
    {
      name: `avgPool3d, ${pad}`,
      shapes: [[1, 4, 4, 4, 2]],
      f: (x) => tf.avgPool3d(x as tf.Tensor5D, 2, 2, pad).square(),
    },
    {
      name: `dilation2d, ${pad}`,
      shapes: [[1, 5, 5, 2], [2, 2, 2]],
      f: (x, w) => tf.dilation2d(x as never, w as never, 1, pad),
    },
  ]),
  {
    name: "conv2dTranspose",
    shapes: [[2, 3, 3, 4], [2, 2, 3, 4]],
    f: (x, w) => tf.conv2dTranspose(x as never, w as never, [2, 6, 6, 3], 2, "same"),
  },
  {
    name: "conv3dTranspose",
    valueOnly: true,
    shapes: [[1, 2, 2, 2, 3], [2, 2, 2, 2, 3]],
    f: (x, w) => tf.conv3dTranspose(x as never, w as never, [1, 4, 4, 4, 2], 2, "same"),
  },
  {
    name: "separableConv2d",
    shapes: [[1, 5, 5, 2], [3, 3, 2, 2]],
    f: (x, w) => tf.separableConv2d(x as never, w as never, tf.ones([1, 1, 4, 3]), 1, "same"),
  },
  {
    name: "fused.conv2d with bias and relu",
    shapes: [[1, 5, 5, 2], [3, 3, 2, 3]],
    f: (x, filter) =>
      tf.fused.conv2d(
        { x, filter, strides: 1, pad: "same", bias: tf.ones([3]), activation: "relu" } as never,
      ),
  },
  {
    name: "batchNorm",
    shapes: [[4, 3], [3]],
    f: (x, scale) => {
      const { mean, variance } = tf.moments(x, [0]);
      return tf.batchNorm(x, mean as never, variance as never, tf.zeros([3]), scale as never, 1e-3);
    },
  },
  {
    name: "localResponseNormalization",
    shapes: [[1, 3, 3, 4]],
    f: (x) => tf.localResponseNormalization(x as never, 2),
  },
  {
    name: "resizeBilinear",
    shapes: [[1, 3, 3, 2]],
    f: (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [5, 4]).square(),
  },
  {
    name: "resizeNearestNeighbor",
    shapes: [[1, 3, 3, 2]],
    f: (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [6, 6]).square(),
  },
  {
    name: "softmaxCrossEntropy",
    shapes: [[4, 5]],
    f: (x) => tf.losses.softmaxCrossEntropy(tf.oneHot(indices(0, 4, 2, 1), 5), x),
  },
  {
    name: "sigmoidCrossEntropy",
    shapes: [[4, 5]],
    f: (x) => tf.losses.sigmoidCrossEntropy(tf.oneHot(indices(0, 4, 2, 1), 5), x),
  },
  { name: "meanSquaredError", shapes: [[4, 5], [4, 5]], f: (a, b) => tf.losses.meanSquaredError(a, b) },
  { name: "huberLoss", shapes: [[4, 5], [4, 5]], f: (a, b) => tf.losses.huberLoss(a, b) },
  {
    name: "a complex product",
    valueOnly: true,
    shapes: [[4], [4]],
    f: (a, b) => tf.real(tf.mul(tf.complex(a, b), tf.complex(b, a))),
  },
];
