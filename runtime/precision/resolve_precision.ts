import { warn } from "../core/messages.ts";
import { closest } from "../core/suggest.ts";
import type { Precision } from "./precision.ts";

/** Every precision by its full name. */
export const PRECISIONS: readonly Precision[] = [
  "64-true",
  "32-true",
  "16-true",
  "bf16-true",
  "16-mixed",
  "bf16-mixed",
];

/** What the numbers and names of older Lightning programs mean. The first two are discouraged, the others are plain short forms. */
const SHORT: Readonly<Record<string, Precision>> = {
  "16": "16-mixed",
  "bf16": "bf16-mixed",
  "32": "32-true",
  "64": "64-true",
};
const DISCOURAGED = ["16", "bf16"];

/** Options of {@linkcode resolvePrecision}: what is known of the accelerator. */
export interface ResolvePrecisionOptions {
  /** Its name, for messages and for what is particular to `cpu`. */
  accelerator: string;
  /** What it can do. */
  supported: readonly Precision[];
  /** Whose option `precision` is, for messages. Default: `Fabric`. */
  owner?: string;
}

/**
 * From what a user gives as `precision` to its full name: `16`, `"bf16"`, `32` and `64` as in Lightning, nothing is `32-true`.
 *
 * @throws {RangeError} for a value that is no precision (lists them) and for one that the accelerator cannot do (lists what it can)
 *
 * @example
 * ```ts
 * const precision = resolvePrecision(32, { accelerator: "wasm", supported: ["32-true"] });
 * if (precision !== "32-true") throw new Error(precision);
 * ```
 */
export function resolvePrecision(input: number | string | undefined, options: ResolvePrecisionOptions): Precision {
  const { accelerator, supported, owner = "Fabric" } = options;
  if (input === undefined) return "32-true";
  const given = String(input);
  let precision = Object.hasOwn(SHORT, given) ? SHORT[given] : given as Precision;
  if (!PRECISIONS.includes(precision)) {
    const allowed = [...PRECISIONS, ...Object.keys(SHORT)];
    const meant = closest(given, allowed);
    throw new RangeError(
      `Precision ${JSON.stringify(input)} is invalid. ${meant ? `Did you mean "${meant}"? ` : ""}` +
        `Allowed precision values: ${allowed.join(", ")}`,
    );
  }
  const asked = precision;
  if (accelerator === "cpu" && precision === "16-mixed") precision = "bf16-mixed";
  if (!supported.includes(precision)) {
    throw new RangeError(
      `\`precision: ${
        JSON.stringify(input)
      }\` is not possible with \`accelerator: "${accelerator}"\`, which computes in ` +
        `${supported.join(", ")}. Give one of these as \`precision\` of \`${owner}\`${elsewhere(accelerator)}`,
    );
  }
  if (DISCOURAGED.includes(given)) {
    warn(
      "precision-short",
      `\`precision: ${
        JSON.stringify(input)
      }\` is supported for historical reasons but its usage is discouraged. Please set ` +
        `your precision to "${asked}" instead!`,
    );
  }
  if (precision !== asked) {
    warn(
      "precision-cpu",
      `You passed \`${owner}({ accelerator: "cpu", precision: ${
        JSON.stringify(input)
      } })\` but AMP with fp16 is not supported ` +
        'on CPU. Using `precision: "bf16-mixed"` instead.',
    );
  }
  return precision;
}

function elsewhere(accelerator: string): string {
  if (accelerator === "cuda") return "";
  return accelerator === "cpu"
    ? ", or get TensorFlow by `deno task setup`, which computes in others too"
    : ', or `accelerator: "cpu"`, which computes in others too where TensorFlow is installed (`deno task setup`)';
}
