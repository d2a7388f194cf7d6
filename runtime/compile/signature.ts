import { tf } from "../tensor/tf.ts";

/**
 * A text that is equal for arguments which one recording can stand for: tensors of the same types and shapes in the same places, and
 * otherwise the same values.
 * @throws never; what is neither a tensor nor a plain value counts by identity
 */
export function signatureOf(args: readonly unknown[]): string {
  const seen: object[] = [];
  const visit = (value: unknown): string => {
    if (value instanceof tf.Tensor) {
      // Two places with one tensor are not two places with two.
      let index = seen.indexOf(value.dataId as object);
      if (index < 0) index = seen.push(value.dataId as object) - 1;
      return `${value.dtype}[${value.shape}]#${index}`;
    }
    if (Array.isArray(value)) return `[${value.map(visit)}]`;
    if (typeof value === "object" && value !== null) {
      const prototype = Object.getPrototypeOf(value);
      if (prototype !== Object.prototype && prototype !== null) return `object ${numberOf(value)}`;
      return `{${Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${visit(item)}`)}}`;
    }
    if (typeof value === "function") return `function ${numberOf(value)}`;
    return `${typeof value} ${typeof value === "string" ? JSON.stringify(value) : String(value)}`;
  };
  return args.map(visit).join(";");
}

const numbers = new WeakMap<object, number>();
let next = 0;

function numberOf(object: object): number {
  let number = numbers.get(object);
  if (number === undefined) numbers.set(object, number = next++);
  return number;
}
