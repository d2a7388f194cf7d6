/**
 * Checked metrics with the prefix before their names.
 * @throws TypeError for a value that is no number
 */
export function namedMetrics(metrics: Readonly<Record<string, number>>, prefix: string): Record<string, number> {
  const named: Record<string, number> = {};
  for (const [key, value] of Object.entries(metrics)) {
    if (typeof value !== "number") {
      throw new TypeError(
        `The metric \`${key}\` is ${describe(value)}, expected a number: read a tensor first, e.g. (await t.data())[0]`,
      );
    }
    named[prefix ? `${prefix}-${key}` : key] = value;
  }
  return named;
}

/** @throws RangeError for a step that is no finite number */
export function checkStep(step: number | undefined): void {
  if (step !== undefined && !Number.isFinite(step)) {
    throw new RangeError(`A step is a whole number from 0 up, but got ${step}`);
  }
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? String(value);
  return `a ${value.constructor?.name ?? "object"}`;
}
