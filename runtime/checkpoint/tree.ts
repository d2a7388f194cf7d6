import { type HostTensor, isHostTensor } from "../tensor/host_tensor.ts";
import { dtypeInfo, elementCount } from "./dtypes.ts";

/**
 * State as JSON. Tensors become references to names in the file. What JSON cannot say becomes an object with the one key
 * `$tensor`, `$number`, `$bigint` or `$undefined`; keys of the user's own that begin with `$` get a second one.
 */

/** Deeper state is refused: nothing real comes near, and a hostile file must not exhaust the stack. */
const MAX_DEPTH = 200;

/** A tensor and the name it has in the file. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: HostTensor;
}

/**
 * Splits state into its JSON structure and its tensors, whose names are the keys on the way joined by dots.
 * @throws TypeError for what cannot be saved, with the place and the kind of value
 */
export function encodeTree(tree: unknown): { structure: unknown; tensors: NamedTensor[] } {
  const tensors: NamedTensor[] = [];
  const names = new Set<string>(["__metadata__"]);
  const above = new Set<object>();

  function tensorName(path: readonly string[]): string {
    const wanted = path.join(".").toWellFormed();
    let name = wanted;
    for (let i = 2; names.has(name); i++) name = `${wanted}#${i}`;
    names.add(name);
    return name;
  }

  function encode(value: unknown, path: readonly string[]): unknown {
    if (value === null || typeof value === "boolean" || typeof value === "string") return value;
    if (value === undefined) return { $undefined: true };
    if (typeof value === "bigint") return { $bigint: String(value) };
    if (typeof value === "number") {
      if (Object.is(value, -0)) return { $number: "-0" };
      return Number.isFinite(value) ? value : { $number: String(value) };
    }
    if (typeof value !== "object") throw cannotSave(value, path);
    if (isHostTensor(value)) {
      checkTensor(value, path);
      const name = tensorName(path);
      tensors.push({ name, tensor: value });
      return { $tensor: name };
    }
    if (above.has(value)) {
      throw new TypeError(`The state contains itself at ${place(path)}: a checkpoint holds trees only`);
    }
    if (path.length > MAX_DEPTH) throw new TypeError(`The state is nested deeper than ${MAX_DEPTH} at ${place(path)}`);
    above.add(value);
    let encoded: unknown;
    if (Array.isArray(value)) {
      encoded = Array.from(value, (item, index) => encode(item, [...path, String(index)]));
    } else if (isPlain(value)) {
      encoded = Object.fromEntries(
        Object.entries(value).map((
          [key, item],
        ) => [key.startsWith("$") ? "$" + key : key, encode(item, [...path, key])]),
      );
    } else throw cannotSave(value, path);
    above.delete(value);
    return encoded;
  }

  return { structure: encode(tree, []), tensors };
}

/**
 * Builds state from its JSON structure; `tensor` gives what stands for a tensor's name.
 * @throws Error if the structure is not one that {@linkcode encodeTree} makes
 */
export function decodeTree(structure: unknown, tensor: (name: string) => unknown): unknown {
  function decode(value: unknown, depth: number): unknown {
    if (depth > MAX_DEPTH) throw new Error(`its state is nested deeper than ${MAX_DEPTH}`);
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => decode(item, depth + 1));
    const entries = Object.entries(value);
    if (entries.length === 1 && /^\$(?!\$)/.test(entries[0][0])) return special(entries[0][0], entries[0][1], tensor);
    // fromEntries defines keys and never assigns them, so `__proto__` is an ordinary key.
    return Object.fromEntries(entries.map(([key, item]) => {
      if (/^\$(?!\$)/.test(key)) throw new Error(`its state has the key ${JSON.stringify(key)} beside others`);
      return [key.startsWith("$$") ? key.slice(1) : key, decode(item, depth + 1)];
    }));
  }
  return decode(structure, 0);
}

const NUMBERS = new Map([["NaN", NaN], ["Infinity", Infinity], ["-Infinity", -Infinity], ["-0", -0]]);

function special(kind: string, value: unknown, tensor: (name: string) => unknown): unknown {
  if (kind === "$undefined" && value === true) return undefined;
  if (kind === "$tensor" && typeof value === "string") return tensor(value);
  if (kind === "$bigint" && typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
  if (kind === "$number" && typeof value === "string" && NUMBERS.has(value)) return NUMBERS.get(value);
  throw new Error(`its state has a value of unknown kind ${JSON.stringify(kind)}`);
}

function checkTensor({ dtype, shape, data }: HostTensor, path: readonly string[]): void {
  const info = dtypeInfo(dtype);
  if (!info) {
    throw new TypeError(`The tensor at ${place(path)} has the type ${JSON.stringify(dtype)}, which is not known`);
  }
  const kind = data.constructor.name;
  if (kind !== info.array.name) {
    throw new TypeError(`The ${dtype} tensor at ${place(path)} needs a ${info.array.name} as data, but has a ${kind}`);
  }
  if (!Array.isArray(shape) || elementCount(shape) !== data.length) {
    throw new RangeError(
      `The tensor at ${place(path)} has the shape [${[...shape].join(", ")}], but ${data.length} values`,
    );
  }
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function cannotSave(value: unknown, path: readonly string[]): TypeError {
  const kind = typeof value === "object" ? value?.constructor?.name ?? "object" : typeof value;
  const hint = typeof value === "object" && value !== null && "dataId" in value
    ? "read it into a host tensor first"
    : ArrayBuffer.isView(value)
    ? "make it a host tensor, { dtype, shape, data }, or a plain array"
    : "save plain values instead, or give it stateDict() and loadStateDict()";
  return new TypeError(
    `A checkpoint cannot hold the ${kind} at ${
      place(path)
    }: it takes null, booleans, numbers, strings, bigints, host ` +
      `tensors, and arrays and plain objects of them; ${hint}`,
  );
}

function place(path: readonly string[]): string {
  return path.length === 0 ? "the root" : `\`${path.join(".")}\``;
}
