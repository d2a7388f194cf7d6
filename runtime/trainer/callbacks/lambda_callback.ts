import { Callback } from "../callback.ts";
import { closest } from "../../core/suggest.ts";

/** The methods of a callback that are hooks. */
type HookName = {
  [K in keyof Callback]: K extends "setup" | "teardown" | `on${string}` ? K : never;
}[keyof Callback];

/** Functions by the name of the hook that they are called for. */
export type LambdaHooks = { [K in HookName]?: Callback[K] };

/**
 * A callback made of functions.
 *
 * @example
 * ```ts
 * const callback = new LambdaCallback({
 *   onTrainEpochEnd: (trainer) => console.log(`epoch ${trainer.currentEpoch}`, trainer.callbackMetrics),
 * });
 * console.assert(typeof callback.onTrainEpochEnd === "function");
 * ```
 */
export class LambdaCallback extends Callback {
  /** @throws TypeError for a name that is no hook, or something that is no function */
  constructor(hooks: LambdaHooks) {
    super();
    const known = Object.getOwnPropertyNames(Callback.prototype).filter((name) =>
      /^(setup|teardown|on[A-Z])/.test(name)
    );
    for (const [name, hook] of Object.entries(hooks)) {
      if (!known.includes(name)) {
        const meant = closest(name, known);
        throw new TypeError(`\`LambdaCallback\` has no hook \`${name}\`${meant ? `; did you mean \`${meant}\`?` : ""}`);
      }
      if (typeof hook !== "function") {
        throw new TypeError(`\`LambdaCallback({ ${name} })\` must be a function, but got ${typeof hook}`);
      }
      Object.defineProperty(this, name, { value: hook });
    }
  }
}
