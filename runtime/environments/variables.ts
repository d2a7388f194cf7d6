import { clockSeconds } from "../core/duration.ts";
import { isPreemptionSignal } from "../core/preemption.ts";

/** Environment variables (or, with the dashes in their names, command line options) by name, as `Deno.env.toObject()` gives them. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What an integer in a variable must be. */
export interface IntegerRange {
  /** Default: 0. */
  min?: number;
  /** Default: the largest safe integer. */
  max?: number;
}

/**
 * The variable's text, or undefined if it is unset or empty: `VAR= command` is how a shell unsets a variable for one command.
 */
export function text(variables: Variables, name: string): string | undefined {
  return variables[name]?.trim() || undefined;
}

/**
 * The variable as an integer, or undefined if it is unset or empty.
 * @throws RangeError naming the variable and its value, if that is not an integer within the range
 */
export function integer(variables: Variables, name: string, range: IntegerRange = {}): number | undefined {
  const value = text(variables, name);
  if (value === undefined) return undefined;
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = range;
  const number = /^[+-]?\d+$/.test(value) ? Number(value) : NaN;
  if (number >= min && number <= max) return number;
  const expected = max === Number.MAX_SAFE_INTEGER
    ? `an integer of at least ${min}`
    : `an integer from ${min} to ${max}`;
  throw new RangeError(wrong(name, value, expected));
}

/** A number of hosts, or from how many to how many. */
export interface NodeRange {
  readonly min: number;
  readonly max: number;
}

/**
 * The variable as a number of hosts, `4`, or a range of them, `2:4`; undefined if it is unset or empty.
 * @throws RangeError naming the variable and its value, if it is neither
 */
export function nodeRange(variables: Variables, name: string): NodeRange | undefined {
  const value = text(variables, name);
  if (value === undefined) return undefined;
  const [, first, second = first] = /^(\d+)(?::(\d+))?$/.exec(value) ?? [];
  const min = Number(first), max = Number(second);
  if (min >= 1 && max >= min && max <= Number.MAX_SAFE_INTEGER) return { min, max };
  throw new RangeError(wrong(name, value, "an integer of at least 1, or a range such as 2:4"));
}

/**
 * The variable as a positive number of seconds, or undefined if it is unset or empty.
 * @throws RangeError naming the variable and its value, if it is not a positive number
 */
export function seconds(variables: Variables, name: string): number | undefined {
  const value = text(variables, name);
  if (value === undefined) return undefined;
  const number = Number(value);
  if (number > 0 && number < Infinity) return number;
  throw new RangeError(wrong(name, value, "a positive number of seconds, such as 60"));
}

/**
 * The variable as a number of seconds: a positive number, or a time as `DD:HH:MM:SS`, in which days and hours may be left out.
 * @throws RangeError naming the variable and its value, if it is neither
 */
export function duration(variables: Variables, name: string): number | undefined {
  const value = text(variables, name);
  if (value === undefined) return undefined;
  const total = clockSeconds(value) ?? Number(value);
  if (total > 0 && total < Infinity) return total;
  throw new RangeError(wrong(name, value, "a positive number of seconds, or a time such as 01:30:00"));
}

/**
 * The variable as a yes or no, or undefined if it is unset or empty.
 * @throws TypeError naming the variable and its value, if it is neither
 */
export function flag(variables: Variables, name: string): boolean | undefined {
  const value = text(variables, name);
  if (value === undefined) return undefined;
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off)$/i.test(value)) return false;
  throw new TypeError(wrong(name, value, "1 or 0"));
}

/**
 * The variable as one of some names, in any case, or undefined if it is unset or empty.
 * @throws TypeError naming the variable, its value and the names, if it is none of them
 */
export function choice<T extends string>(variables: Variables, name: string, names: readonly T[]): T | undefined {
  const value = text(variables, name);
  if (value === undefined) return undefined;
  const chosen = names.find((one) => one === value.toLowerCase());
  if (chosen !== undefined) return chosen;
  throw new TypeError(wrong(name, value, `one of ${names.join(", ")}`));
}

/**
 * The variable as a signal's name with its `SIG`, `none`, or undefined if it is unset or empty.
 * @throws TypeError naming the variable and its value, if it is no signal that a program may use
 */
export function signalName(variables: Variables, name: string): string | undefined {
  const value = text(variables, name)?.toUpperCase();
  if (value === undefined) return undefined;
  if (value === "NONE") return "none";
  const signal = value.startsWith("SIG") ? value : `SIG${value}`;
  if (isPreemptionSignal(signal)) return signal;
  throw new TypeError(wrong(name, value, "a signal such as USR1, or none"));
}

function wrong(name: string, value: string, expected: string): string {
  return name.startsWith("-")
    ? `\`${name} ${value}\` must be ${expected}: correct it or leave it out`
    : `The environment variable ${name}=${value} must be ${expected}: correct or unset it`;
}
