import type { Part } from "./parts.ts";
import { tf } from "../../tensor/tf.ts";

/** Sizes of inputs and outputs, `[10, 256]`, by module or layer. */
export type PartSizes = ReadonlyMap<object, { input: string; output: string }>;

/** Notes the sizes of what goes into and comes out of parts, until it is stopped. The first pass of each counts. */
export function recordSizes(parts: readonly Part[]): { sizes: PartSizes; stop(): void } {
  const sizes = new Map<object, { input: string; output: string }>();
  const undo: (() => void)[] = [];
  for (const { object } of parts) {
    // A layer inside a tfjs model is never applied, only called.
    const method = object instanceof tf.layers.Layer ? "call" : "forward";
    const target = object as unknown as Record<string, (...args: unknown[]) => unknown>;
    const had = Object.getOwnPropertyDescriptor(target, method);
    const original = target[method];
    const replacement = function (this: unknown, ...args: unknown[]): unknown {
      const output = original.apply(this, args);
      if (!sizes.has(object)) {
        const inputs = method === "call" ? args[0] : args.length === 1 ? args[0] : args;
        sizes.set(object, { input: sizeOf(inputs), output: sizeOf(output) });
      }
      return output;
    };
    Object.defineProperty(target, method, {
      value: replacement,
      configurable: true,
      enumerable: false,
      writable: true,
    });
    undo.push(() => had ? Object.defineProperty(target, method, had) : delete target[method]);
  }
  return { sizes, stop: () => undo.forEach((restore) => restore()) };
}

function sizeOf(value: unknown): string {
  if (value instanceof tf.Tensor) return `[${value.shape.join(", ")}]`;
  if (Array.isArray(value)) return value.length === 1 ? sizeOf(value[0]) : `[${value.map(sizeOf).join(", ")}]`;
  return "?";
}
