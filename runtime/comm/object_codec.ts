/**
 * Values as bytes: JSON in which what JSON cannot say is tagged, followed by the bytes of the typed arrays. Reading it runs no
 * code, and checks every length before it takes memory.
 *
 *     u32 length of the JSON, JSON, zeros to a multiple of 8, then each array's bytes, each padded to 8
 */

/** The most bytes a value may take. */
export const MAX_OBJECT_BYTES = 256 * 1024 * 1024;
const MAX_DEPTH = 200;

const ARRAYS = {
  Float32Array,
  Float64Array,
  Int8Array,
  Int16Array,
  Int32Array,
  BigInt64Array,
  Uint8Array,
  Uint8ClampedArray,
  Uint16Array,
  Uint32Array,
  BigUint64Array,
} as const;
type ArrayName = keyof typeof ARRAYS;

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const pad = (length: number) => Math.ceil(length / 8) * 8;

/**
 * Writes a value: JSON, and undefined, NaN, infinities, -0, bigint, Date, Map, Set and typed arrays within.
 * @throws TypeError naming the place of what cannot be sent (a function, an instance of a class, a cycle); RangeError if it is too large
 */
export function encodeObject(value: unknown): Uint8Array {
  const arrays: Uint8Array[] = [];
  let length = 0;
  const tagged = tag(value, "value", 0, (bytes) => {
    const offset = length;
    arrays.push(bytes);
    length += pad(bytes.byteLength);
    return offset;
  });
  const json = new TextEncoder().encode(JSON.stringify(tagged));
  const start = pad(4 + json.byteLength);
  if (start + length > MAX_OBJECT_BYTES) {
    throw new RangeError(
      `an object sent between ranks takes at most ${MAX_OBJECT_BYTES} bytes, this one ${
        start + length
      }; send large arrays with broadcast or allGather`,
    );
  }
  const message = new Uint8Array(start + length);
  new DataView(message.buffer).setUint32(0, json.byteLength, true);
  message.set(json, 4);
  let offset = start;
  for (const bytes of arrays) {
    message.set(bytes, offset);
    offset += pad(bytes.byteLength);
  }
  return message;
}

/** Reads what {@linkcode encodeObject} wrote. @throws Error if the bytes are damaged */
export function decodeObject(message: Uint8Array): unknown {
  try {
    const length = new DataView(message.buffer, message.byteOffset, message.byteLength).getUint32(0, true);
    if (4 + length > message.byteLength) throw new RangeError(`its JSON of ${length} bytes is cut short`);
    const json: Json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(message.subarray(4, 4 + length)));
    return untag(json, message.subarray(Math.min(pad(4 + length), message.byteLength)));
  } catch (cause) {
    throw new Error(`an object from another rank cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function tag(value: unknown, path: string, depth: number, put: (bytes: Uint8Array) => number): Json {
  if (depth > MAX_DEPTH) {
    throw new TypeError(
      `${path} is nested more than ${MAX_DEPTH} deep, or contains itself; it cannot be sent between ranks`,
    );
  }
  const inner = (value: unknown, key: string) => tag(value, path + key, depth + 1, put);
  switch (typeof value) {
    case "boolean":
    case "string":
      return value;
    case "undefined":
      return { $: "undefined" };
    case "bigint":
      return { $: "bigint", v: String(value) };
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $: "number", v: Object.is(value, -0) ? "-0" : String(value) };
    case "object":
      break;
    default:
      throw new TypeError(`${path} is a ${typeof value}; it cannot be sent between ranks`);
  }
  if (value === null) return null;
  if (Array.isArray(value)) return Array.from(value, (item, i) => inner(item, `[${i}]`));
  if (value instanceof Date) return { $: "date", v: inner(value.getTime(), "") };
  if (value instanceof Map) return { $: "map", v: Array.from(value, (pair, i) => inner(pair, `<entry ${i}>`)) };
  if (value instanceof Set) return { $: "set", v: Array.from(value, (item, i) => inner(item, `<item ${i}>`)) };
  if (ArrayBuffer.isView(value)) {
    const name = Object.prototype.toString.call(value).slice(8, -1);
    if (!(name in ARRAYS)) throw new TypeError(`${path} is a ${name}; it cannot be sent between ranks`);
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return { $: "array", t: name, o: put(bytes), n: (value as Uint8Array).length };
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) {
    const name = prototype.constructor?.name || "an unknown class";
    throw new TypeError(
      `${path} is an instance of ${name}; between ranks only plain objects, arrays and typed arrays are sent`,
    );
  }
  const entries = Object.entries(value).map(([key, item]) => [key, inner(item, `.${key}`)] as const);
  return "$" in value
    ? { $: "object", v: entries.map(([key, item]): Json => [key, item]) }
    : Object.fromEntries(entries);
}

function untag(json: Json, arrays: Uint8Array): unknown {
  if (json === null || typeof json !== "object") return json;
  if (Array.isArray(json)) return json.map((item) => untag(item, arrays));
  if (!Object.hasOwn(json, "$")) {
    return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, untag(item, arrays)]));
  }
  const list = () => (json.v as Json[]).map((item) => untag(item, arrays));
  switch (json.$) {
    case "undefined":
      return undefined;
    case "bigint":
      return BigInt(json.v as string);
    case "number":
      return Number(json.v);
    case "date":
      return new Date(untag(json.v, arrays) as number);
    case "map":
      return new Map(list() as [unknown, unknown][]);
    case "set":
      return new Set(list());
    case "object":
      return Object.fromEntries(list() as [string, unknown][]);
    case "array":
      return readArray(json, arrays);
    default:
      throw new TypeError(`it has the unknown tag ${JSON.stringify(json.$)}`);
  }
}

function readArray(json: { [key: string]: Json }, arrays: Uint8Array): ArrayBufferView {
  const { t, o, n } = json as { t: ArrayName; o: number; n: number };
  if (!Object.hasOwn(ARRAYS, t)) throw new TypeError(`it has an array of the unknown type ${JSON.stringify(t)}`);
  const length = n * ARRAYS[t].BYTES_PER_ELEMENT;
  if (!Number.isInteger(o) || !Number.isInteger(n) || o < 0 || n < 0 || o + length > arrays.byteLength) {
    throw new RangeError(`its ${t} of ${n} elements at ${o} lies outside of its ${arrays.byteLength} bytes`);
  }
  return new ARRAYS[t](arrays.slice(o, o + length).buffer);
}
