/** Types of floating-point numbers, named as in TensorFlow. */
export type FloatType = "float32" | "float64" | "float16" | "bfloat16";

/** How an op runs in another type than its inputs have. */
export interface Casts {
  /** What each input is cast to; undefined: nothing. */
  readonly inputs: readonly (FloatType | undefined)[];
  /** What the op's type attribute `T` becomes. */
  readonly compute: FloatType;
  /** What its outputs are cast to. */
  readonly output: FloatType;
}

/**
 * TensorFlow's ops that gain from half precision: products of matrices and convolutions, and the ops that their gradients consist of. Their
 * only type attribute is `T`, the type of all inputs but shapes (int32), and of the output.
 */
const GAINING: ReadonlySet<string> = new Set([
  "MatMul",
  "BatchMatMul",
  "BatchMatMulV2",
  "Conv2D",
  "Conv2DBackpropInput",
  "Conv2DBackpropFilter",
  "DepthwiseConv2dNative",
  "DepthwiseConv2dNativeBackpropInput",
  "DepthwiseConv2dNativeBackpropFilter",
  "Conv3D",
  "Conv3DBackpropInputV2",
  "Conv3DBackpropFilterV2",
]);

/**
 * The rule of mixed precision: ops that gain compute in `compute`, everything else (sums, losses, normalization, optimizers) in
 * float32, which is what all tensors stay between ops.
 *
 * @param op TensorFlow's name of it
 * @param inputs the types of its inputs; of others than floating ones any text, e.g. `int32`
 * @returns undefined if the op is to run as it is
 *
 * @example
 * ```ts
 * const casts = autocastRule("MatMul", ["float32", "float32"], "bfloat16")!;
 * console.assert(casts.compute === "bfloat16" && casts.output === "float32");
 * console.assert(autocastRule("Softmax", ["float32"], "bfloat16") === undefined);
 * ```
 */
export function autocastRule(
  op: string,
  inputs: readonly string[],
  compute: "float16" | "bfloat16",
): Casts | undefined {
  if (!GAINING.has(op)) return undefined;
  const floats = inputs.filter((type) => type !== "int32" && type !== "int64");
  if (floats.length === 0 || floats.some((type) => type !== "float32")) return undefined;
  return { inputs: inputs.map((type) => type === "float32" ? compute : undefined), compute, output: "float32" };
}
