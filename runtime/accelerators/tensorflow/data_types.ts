/** TF_DataType: the numbers that TensorFlow's C API gives its types. */
export const DataType = {
  FLOAT: 1,
  DOUBLE: 2,
  INT32: 3,
  UINT8: 4,
  STRING: 7,
  COMPLEX64: 8,
  INT64: 9,
  BOOL: 10,
  BFLOAT16: 14,
  HALF: 19,
  RESOURCE: 20,
} as const;

/** TF_AttrType: the numbers of the types of an op's attributes. */
export const AttributeType = { STRING: 0, INT: 1, FLOAT: 2, BOOL: 3, TYPE: 4, SHAPE: 5 } as const;

/** What holds the numbers of a tensor here. */
export type NumericArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** How the elements of a type are laid out. */
export interface ElementLayout {
  readonly name: string;
  /** Bytes of one element. */
  readonly bytes: number;
  /** What an array that holds such elements may be; the first is what reading gives. */
  readonly arrays: readonly (new (length: number) => NumericArray)[];
}

/** int64 may be given as pairs of int32, low half first: tfjs's kernels do so. Half precision travels as its bits. */
const LAYOUTS: Readonly<Record<number, ElementLayout>> = {
  [DataType.FLOAT]: { name: "float32", bytes: 4, arrays: [Float32Array] },
  [DataType.DOUBLE]: { name: "float64", bytes: 8, arrays: [Float64Array] },
  [DataType.INT32]: { name: "int32", bytes: 4, arrays: [Int32Array] },
  [DataType.UINT8]: { name: "uint8", bytes: 1, arrays: [Uint8Array] },
  [DataType.COMPLEX64]: { name: "complex64", bytes: 8, arrays: [Float32Array] },
  [DataType.INT64]: { name: "int64", bytes: 8, arrays: [BigInt64Array, Int32Array] },
  [DataType.BOOL]: { name: "bool", bytes: 1, arrays: [Uint8Array] },
  [DataType.BFLOAT16]: { name: "bfloat16", bytes: 2, arrays: [Uint16Array] },
  [DataType.HALF]: { name: "float16", bytes: 2, arrays: [Uint16Array] },
};

/**
 * How the elements of a numeric type are laid out.
 * @throws TypeError for a type whose elements are no numbers, or that is not known here
 */
export function elementLayout(dataType: number): ElementLayout {
  const layout = LAYOUTS[dataType];
  if (!layout) throw new TypeError(`TensorFlow's data type ${dataType} cannot be held in a typed array`);
  return layout;
}
