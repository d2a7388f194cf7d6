/**
 * Holds that a name, which may have slashes, stays in the folder that it is meant for.
 * @param what it is called in the message, e.g. `CSVLogger({ name })`
 * @throws RangeError for an absolute path, a part `..`, and a zero byte
 *
 * @example
 * ```ts
 * checkInside("CSVLogger({ name })", "mnist/first try");
 * ```
 */
export function checkInside(what: string, name: string): void {
  const isAbsolute = /^([/\\]|[A-Za-z]:)/.test(name);
  if (!isAbsolute && !name.includes("\0") && !name.split(/[/\\]/).includes("..")) return;
  throw new RangeError(
    `\`${what}\` is ${
      JSON.stringify(name)
    }, which leads out of its folder: leave out "..", and a slash at the beginning`,
  );
}
