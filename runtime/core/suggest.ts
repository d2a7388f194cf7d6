/** The name among `known` that was probably meant by `given`, or undefined if none is close. */
export function closest(given: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(given.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** Levenshtein's distance: the fewest insertions, deletions and replacements that turn one string into the other. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(row[j - 1] + 1, previous[j] + 1, previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    previous = row;
  }
  return previous[b.length];
}

/**
 * Throws a TypeError for the first key of `options` that is not in `known`, naming the one that was probably meant.
 * Throws one for options that are no object, too: a number where a record belongs has no keys that could be wrong.
 * @param owner what the options belong to, as the user wrote it, e.g. `Fabric`
 */
export function rejectUnknownOptions(owner: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const got = Array.isArray(options)
      ? "an array"
      : options === null
      ? "null"
      : `${typeof options} ${String(options)}`;
    throw new TypeError(`\`${owner}\` takes its options as an object, e.g. { ${known[0]}: … }, but got ${got}`);
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const meant = closest(key, known);
    throw new TypeError(
      `\`${owner}\` has no option \`${key}\`${
        meant ? `; did you mean \`${meant}\`?` : `. It takes: ${known.join(", ")}`
      }`,
    );
  }
}
