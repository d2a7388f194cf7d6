/** A hyperparameter as files and servers can hold it. */
export type PlainValue = null | boolean | number | string | PlainValue[] | { [key: string]: PlainValue };

/** Turns hyperparameters into plain values: what is neither plain nor a list of such becomes its name or its text. */
export function plainParams(params: Readonly<Record<string, unknown>>): Record<string, PlainValue> {
  if (typeof params !== "object" || params === null) {
    throw new TypeError(`Hyperparameters are an object with a name for each, but got ${String(params)}`);
  }
  return plain(params, new Set()) as Record<string, PlainValue>;
}

/** Hyperparameters in one level: `{ optim: { lr: 1 } }` becomes `{ "optim/lr": 1 }`. */
export function flatParams(params: Readonly<Record<string, PlainValue>>, prefix = ""): Record<string, PlainValue> {
  const flat: Record<string, PlainValue> = {};
  for (const [key, value] of Object.entries(params)) {
    const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isRecord) Object.assign(flat, flatParams(value, `${prefix}${key}/`));
    else flat[prefix + key] = value;
  }
  return flat;
}

function plain(value: unknown, above: Set<unknown>): PlainValue {
  if (value === undefined || value === null) return null;
  if (typeof value === "boolean" || typeof value === "number" || typeof value === "string") return value;
  if (typeof value === "function") return value.name || "function";
  if (typeof value !== "object" || value instanceof Date || value instanceof RegExp || value instanceof URL) {
    return String(value);
  }
  if (above.has(value)) return "[circular]";
  const inside = new Set(above).add(value);
  if (Array.isArray(value)) return value.map((item) => plain(item, inside));
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return value.constructor?.name ?? "object";
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, inside)]));
}
