/**
 * Errors that lead to the user's line: an uncaught error is shown with the line of its first frame, which should be the call that was
 * wrong and not where the library noticed. The means is V8's `Error.captureStackTrace(error, callee)`: what is above the call disappears.
 */

import { asUserCall } from "./user_call.ts";
import { isLibrary, placesOf } from "./user_place.ts";

/** What the engine says by itself. Such an error is a mistake of the library, and needs all its frames. */
const ENGINE =
  /is not (a function|a constructor|iterable|defined)|^Cannot |^Assignment to|^Invalid \w+ length|call stack size/;

const AsyncFunction = (async () => {}).constructor;

// deno-lint-ignore ban-types -- V8 takes any function as what was called
type Callee = Function;

/**
 * Takes the library's frames off an error, so that it begins at the call of `callee`. Left as it is: what is no error, what user code or
 * the engine threw, and what was thrown below another function of the user's.
 *
 * @param callee the function or class that was called from outside; it must be on the stack, or be the async function that is running
 * @returns the same error
 *
 * @example
 * ```ts
 * function half(x: number) {
 *   if (x % 2 === 1) throw atCaller(new RangeError(`${x} is odd`), half);
 *   return x / 2;
 * }
 * console.assert(half(4) === 2);
 * ```
 */
export function atCaller<E>(error: E, callee: Callee): E {
  if (!(error instanceof Error) || (error instanceof TypeError && ENGINE.test(error.message))) return error;
  const [first, ...below] = linesOf(error);
  if (first === undefined || !isLibrary(first)) return error;
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, callee);
  const [caller] = linesOf(here);
  // Called by the library itself: the function that the user called is further out.
  if (caller === undefined || isLibrary(caller)) return error;
  const user = below.find((place) => !isLibrary(place));
  if (user === undefined || user === caller) Error.captureStackTrace(error, callee);
  return error;
}

/** Makes every method and getter of a class throw and reject {@linkcode atCaller}, and its async methods {@linkcode asUserCall}. */
export function pointAtCaller(type: { prototype: object }): void {
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(type.prototype))) {
    if (name === "constructor") continue;
    for (const kind of ["value", "get"] as const) {
      if (typeof descriptor[kind] === "function") descriptor[kind] = pointing(descriptor[kind]);
    }
    Object.defineProperty(type.prototype, name, descriptor);
  }
}

function pointing<F extends (this: unknown, ...args: unknown[]) => unknown>(method: F): F {
  const call = method instanceof AsyncFunction
    ? async function (this: unknown, ...args: unknown[]) {
      try {
        return await asUserCall(() => method.apply(this, args));
      } catch (error) {
        throw atCaller(error, call);
      }
    }
    : function (this: unknown, ...args: unknown[]) {
      try {
        return method.apply(this, args);
      } catch (error) {
        throw atCaller(error, call);
      }
    };
  for (const key of ["name", "length"] as const) {
    Object.defineProperty(call, key, { value: method[key], configurable: true });
  }
  return call as F;
}

/** The places of a stack without columns, which differ between a call and its await. */
function linesOf(error: { stack?: string }): string[] {
  return placesOf(error).map((place) => place.replace(/:\d+$/, ""));
}
