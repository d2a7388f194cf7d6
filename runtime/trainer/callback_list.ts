import type { Callback, CallbackOrder } from "./callback.ts";
import { info } from "../core/messages.ts";

const ORDER: readonly CallbackOrder[] = ["first", "normal", "monitor", "checkpoint"];

/**
 * The callbacks of a run in the order in which they are called: those of the model replace those of the same class, those that save
 * come last.
 * @throws Error if two with state have the same key
 */
export function mergeCallbacks(own: readonly Callback[], ofModel: Callback | readonly Callback[]): readonly Callback[] {
  const added = Array.isArray(ofModel) ? ofModel as readonly Callback[] : [ofModel as Callback];
  const replaced = own.filter((callback) => added.some((other) => other.constructor === callback.constructor));
  if (replaced.length > 0) {
    info(
      "The following callbacks returned in `LightningModule.configureCallbacks` will override existing callbacks passed to Trainer: " +
        [...new Set(replaced.map(({ constructor }) => constructor.name))].sort().join(", "),
    );
  }
  const all = [...own.filter((callback) => !replaced.includes(callback)), ...added];
  // Monitors keep their place among the others, except at the end of an epoch.
  const place = ({ order }: Callback) => ORDER.indexOf(order === "monitor" ? "normal" : order);
  all.sort((a, b) => place(a) - place(b));
  for (const [index, callback] of all.entries()) {
    const same = all.slice(index + 1).find(({ stateKey }) => stateKey === callback.stateKey);
    if (!same || callback.stateDict() === undefined) continue;
    throw new Error(
      `Found more than one stateful callback of type \`${callback.constructor.name}\` with the state key ${callback.stateKey}. ` +
        "Give them different options, or a `stateKey` of their own.",
    );
  }
  return Object.freeze(all);
}
