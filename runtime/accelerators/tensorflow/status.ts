import type { Api } from "./symbols.ts";

/** The codes of TF_Status, by number. */
const CODES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
]; // deno-fmt-ignore

/** The one TF_Status that all calls of a context report to. */
export class Status {
  readonly pointer: Deno.PointerValue;
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
    this.pointer = api.TF_NewStatus();
  }

  /**
   * Throws what the last call reported, if that was an error.
   * @param what the op or the call that is to blame, for the message
   * @throws RangeError if memory ran out, Error otherwise: `what` and TensorFlow's message; the status code's name is its `cause`
   */
  check(what: string): void {
    const code = this.#api.TF_GetCode(this.pointer);
    if (code === 0) return;
    const message = Deno.UnsafePointerView.getCString(this.#api.TF_Message(this.pointer)!);
    const name = CODES[code] ?? `status ${code}`;
    const text = `TensorFlow ${what}: ${message || name}`;
    throw code === 8 ? new RangeError(text, { cause: name }) : new Error(text, { cause: name });
  }

  [Symbol.dispose](): void {
    this.#api.TF_DeleteStatus(this.pointer);
  }
}
