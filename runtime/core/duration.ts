/**
 * A time as a clock or a calendar shows it, in seconds: `DD:HH:MM:SS`, in which days and hours may be left out.
 * @returns undefined if the text is no such time
 *
 * @example
 * ```ts
 * console.assert(clockSeconds("01:30:00") === 5_400);
 * console.assert(clockSeconds("90") === undefined);
 * ```
 */
export function clockSeconds(text: string): number | undefined {
  if (!/^\d+(:\d{1,2}){1,3}$/.test(text)) return undefined;
  return text.split(":").map(Number).reverse()
    .reduce((sum, part, index) => sum + part * [1, 60, 3_600, 86_400][index], 0);
}

/** Seconds as milliseconds; what is not given stays so. */
export function milliseconds<T extends number | undefined>(seconds: T): T {
  return (seconds === undefined ? undefined : seconds * 1000) as T;
}
