import { AttributeType } from "./data_types.ts";
import type { Status } from "./status.ts";
import { type Api, cString } from "./symbols.ts";

/** One attribute of an op, as tfjs's kernels give it. */
export interface OpAttribute {
  name: string;
  /** One of `AttributeType`. */
  type: number;
  value: unknown;
}

type Pointer = Deno.PointerValue;
type Bytes = Uint8Array<ArrayBuffer>;

/** The functions that set attributes: of an op that is to run now, or of one in a graph. */
export interface AttributeSetters {
  type(op: Pointer, name: Bytes, value: number): void;
  int(op: Pointer, name: Bytes, value: bigint): void;
  intList(op: Pointer, name: Bytes, values: BigInt64Array<ArrayBuffer>, count: number): void;
  bool(op: Pointer, name: Bytes, value: number): void;
  boolList(op: Pointer, name: Bytes, values: Bytes, count: number): void;
  float(op: Pointer, name: Bytes, value: number): void;
  floatList(op: Pointer, name: Bytes, values: Float32Array<ArrayBuffer>, count: number): void;
  string(op: Pointer, name: Bytes, value: Bytes, length: bigint): void;
  shape(op: Pointer, name: Bytes, value: BigInt64Array<ArrayBuffer>, rank: number): void;
}

/** Those of a `TFE_Op`. */
export function eagerSetters(api: Api, status: Status): AttributeSetters {
  return {
    type: api.TFE_OpSetAttrType,
    int: api.TFE_OpSetAttrInt,
    intList: api.TFE_OpSetAttrIntList,
    bool: api.TFE_OpSetAttrBool,
    boolList: api.TFE_OpSetAttrBoolList,
    float: api.TFE_OpSetAttrFloat,
    floatList: api.TFE_OpSetAttrFloatList,
    string: api.TFE_OpSetAttrString,
    shape(op, name, value, rank) {
      api.TFE_OpSetAttrShape(op, name, value, rank, status.pointer);
      status.check("takes no such shape as an attribute");
    },
  };
}

/** Those of a `TF_OperationDescription`. */
export function graphSetters(api: Api): AttributeSetters {
  return {
    type: api.TF_SetAttrType,
    int: api.TF_SetAttrInt,
    intList: api.TF_SetAttrIntList,
    bool: api.TF_SetAttrBool,
    boolList: api.TF_SetAttrBoolList,
    float: api.TF_SetAttrFloat,
    floatList: api.TF_SetAttrFloatList,
    string: api.TF_SetAttrString,
    shape: api.TF_SetAttrShape,
  };
}

const encoder = new TextEncoder();

/**
 * Sets an attribute of an op that has not run yet. A fraction that is given for an integer (tfjs passes seeds on as they are) is cut.
 * @throws TypeError for a value that is none of the attribute's type
 */
export function setAttribute(set: AttributeSetters, op: Pointer, attribute: OpAttribute): void {
  const { type, value } = attribute;
  const name = cString(attribute.name);
  switch (type) {
    case AttributeType.TYPE:
      return set.type(op, name, number(attribute, value));
    case AttributeType.INT:
      if (!isList(value)) return set.int(op, name, integer(attribute, value));
      return set.intList(op, name, BigInt64Array.from(value, (item) => integer(attribute, item)), value.length);
    case AttributeType.BOOL:
      if (!isList(value)) return set.bool(op, name, value ? 1 : 0);
      return set.boolList(op, name, Uint8Array.from(value, (item) => item ? 1 : 0), value.length);
    case AttributeType.FLOAT:
      if (!isList(value)) return set.float(op, name, number(attribute, value));
      return set.floatList(op, name, Float32Array.from(value, (item) => number(attribute, item)), value.length);
    case AttributeType.STRING: {
      const bytes = value instanceof Uint8Array ? value as Bytes : encoder.encode(String(value));
      return set.string(op, name, bytes, BigInt(bytes.length));
    }
    case AttributeType.SHAPE:
      if (!isList(value)) throw unfit(attribute, value, "a shape");
      return set.shape(
        op,
        name,
        BigInt64Array.from(value, (item) => integer(attribute, item)),
        value.length,
      );
  }
  throw new TypeError(
    `attribute ${attribute.name} has the type ${type}, which is none of TF_AttrType's that ops take here`,
  );
}

function isList(value: unknown): value is ArrayLike<unknown> & Iterable<unknown> {
  return Array.isArray(value) || ArrayBuffer.isView(value) && "length" in value;
}

function number(attribute: OpAttribute, value: unknown): number {
  if (typeof value !== "number") throw unfit(attribute, value, "a number");
  return value;
}

function integer(attribute: OpAttribute, value: unknown): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value !== "number" || !Number.isFinite(value)) throw unfit(attribute, value, "an integer");
  return BigInt(Math.trunc(value));
}

function unfit({ name }: OpAttribute, value: unknown, expected: string): TypeError {
  return new TypeError(`attribute ${name} got ${String(value)}, where TensorFlow takes ${expected}`);
}
