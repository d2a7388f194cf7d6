import { AsyncLocalStorage } from "node:async_hooks";

/** A call of the library, and the calls around it that it was made in. */
export interface UserCall {
  /** Made in the call: its stack leads to who called, unless an await or the limit of its frames lies between. */
  readonly trace: { readonly stack?: string };
  readonly outer: UserCall | undefined;
}

const calls = new AsyncLocalStorage<UserCall>();
let areKept = false;

/** From now on {@linkcode asUserCall} notes every call, which costs some microseconds each: there are ranks that may disagree. */
export function keepUserCalls(): void {
  areKept = true;
}

/**
 * Calls `f` as what the user called. What happens in it, however many awaits later, can then tell where that was: a stack alone ends after
 * ten frames, and at a function that returned its promise without awaiting it.
 *
 * @param options `always`: whether or not {@linkcode keepUserCalls} was called, for what is called seldom. Default: false
 *
 * @example
 * ```ts
 * keepUserCalls();
 * const call = await asUserCall(async () => {
 *   await new Promise((resolve) => setTimeout(resolve, 1));
 *   return hereAsUserCall();
 * });
 * console.assert(call.outer!.trace.stack!.includes("user_call.ts"));
 * ```
 */
export function asUserCall<T>(f: () => T, options: { always?: boolean } = {}): T {
  return areKept || options.always ? calls.run(hereAsUserCall(), f) : f();
}

/** This place, within the call that it lies in. */
export function hereAsUserCall(): UserCall {
  const trace = {};
  Error.captureStackTrace(trace, hereAsUserCall);
  return { trace, outer: calls.getStore() };
}
