import { warn } from "../core/messages.ts";

/**
 * Calls `hook` on every callback that has it, in order, and waits for each. What they return is dropped.
 * A field of that name that is no function is skipped with a warning.
 */
export async function callCallbacks(
  callbacks: readonly object[],
  hook: string,
  args: readonly unknown[],
): Promise<void> {
  for (const callback of callbacks) {
    const method = (callback as Record<string, unknown>)[hook];
    if (method === undefined) continue;
    if (typeof method !== "function") {
      const owner = callback.constructor?.name ?? "object";
      warn(
        `callback-not-callable:${owner}.${hook}`,
        `Skipping the callback \`${owner}.${hook}\` because it is not a function.`,
      );
      continue;
    }
    await method.apply(callback, args);
  }
}
