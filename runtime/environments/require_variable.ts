import { integer, type IntegerRange, type Variables } from "./variables.ts";

/**
 * The variable as an integer that the environment always sets.
 * @throws Error naming the variable if it is missing; RangeError if it is out of its range
 */
export function requireInteger(
  variables: Variables,
  name: string,
  options: IntegerRange & { what: string },
): number {
  const { what, ...range } = options;
  const value = integer(variables, name, range);
  if (value !== undefined) return value;
  throw new Error(
    `${what} started this process, but the environment variable ${name} is missing: pass it on to every rank`,
  );
}

/** @throws RangeError naming both variables, if the first is not less than the second */
export function requireBelow(first: [name: string, value: number], limit: [name: string, value: number]): void {
  if (first[1] < limit[1]) return;
  throw new RangeError(
    `${first[0]}=${first[1]} must be less than ${limit[0]}=${limit[1]}: it counts from 0 to ${limit[1] - 1}`,
  );
}
