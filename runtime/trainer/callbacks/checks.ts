/** @throws RangeError unless `value` is an integer from `least` up */
export function checkWhole(owner: string, name: string, value: unknown, least = 0): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw new RangeError(`\`${owner}({ ${name} })\` must be an integer from ${least} up, but got ${show(value)}`);
}

/** @throws RangeError unless `value` is a finite number from `least` up, or above it with `open` */
export function checkNumber(
  owner: string,
  name: string,
  value: unknown,
  { least = 0, most = Infinity, open = false }: { least?: number; most?: number; open?: boolean } = {},
): void {
  const fits = typeof value === "number" && Number.isFinite(value) && value <= most &&
    (open ? value > least : value >= least);
  if (fits) return;
  const range = `${open ? "above" : "from"} ${least}${most === Infinity ? open ? "" : " up" : ` to ${most}`}`;
  throw new RangeError(
    `\`${owner}({ ${name} })\` must be a number${least === -Infinity ? "" : ` ${range}`}, but got ${show(value)}`,
  );
}

/** @throws TypeError unless `value` is one of `known` */
export function checkOneOf(owner: string, name: string, value: unknown, known: readonly unknown[]): void {
  if (known.includes(value)) return;
  throw new TypeError(
    `\`${owner}({ ${name} })\` must be ${known.map((one) => JSON.stringify(one)).join(" or ")}, but got ${show(value)}`,
  );
}

/** @throws TypeError unless `value` is a string with something in it */
export function checkName(owner: string, name: string, value: unknown): void {
  if (typeof value === "string" && value !== "") return;
  throw new TypeError(`\`${owner}({ ${name} })\` must be a name, but got ${show(value)}`);
}

/** A value for a message. */
export function show(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  if (typeof value === "function") return "a function";
  return JSON.stringify(value) ?? typeof value;
}
