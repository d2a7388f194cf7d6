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

const encoder = new TextEncoder();

/**
 * Sets an attribute of an op that has not run yet. A fraction that is given for an integer (tfjs passes seeds on as they are) is cut.
 * @throws TypeError for a value that is none of the attribute's type
 */
export function setAttribute(api: Api, status: Status, op: Deno.PointerValue, attribute: OpAttribute): void {
  const { type, value } = attribute;
  const name = cString(attribute.name);
  switch (type) {
    case AttributeType.TYPE:
      return api.TFE_OpSetAttrType(op, name, number(attribute, value));
    case AttributeType.INT:
      if (!isList(value)) return api.TFE_OpSetAttrInt(op, name, integer(attribute, value));
      return api.TFE_OpSetAttrIntList(
        op,
        name,
        BigInt64Array.from(value, (item) => integer(attribute, item)),
        value.length,
      );
    case AttributeType.BOOL:
      if (!isList(value)) return api.TFE_OpSetAttrBool(op, name, value ? 1 : 0);
      return api.TFE_OpSetAttrBoolList(op, name, Uint8Array.from(value, (item) => item ? 1 : 0), value.length);
    case AttributeType.FLOAT:
      if (!isList(value)) return api.TFE_OpSetAttrFloat(op, name, number(attribute, value));
      return api.TFE_OpSetAttrFloatList(
        op,
        name,
        Float32Array.from(value, (item) => number(attribute, item)),
        value.length,
      );
    case AttributeType.STRING: {
      const bytes = encoder.encode(String(value));
      return api.TFE_OpSetAttrString(op, name, bytes, BigInt(bytes.length));
    }
    case AttributeType.SHAPE: {
      if (!isList(value)) throw unfit(attribute, value, "a shape");
      const shape = BigInt64Array.from(value, (item) => integer(attribute, item));
      api.TFE_OpSetAttrShape(op, name, shape, shape.length, status.pointer);
      return status.check(`takes no such attribute ${attribute.name}`);
    }
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
