import { info } from "../core/messages.ts";

/** Where somebody sits at the program and may well want to go on: the REPL and notebooks. */
const isInteractive = /\$deno\$(repl|jupyter|notebook)/.test(Deno.mainModule);

let stoppedBy: Deno.Signal | undefined;

/**
 * `fit` was called in a program that had been told to stop during an earlier fit. Whoever pressed Ctrl-C in one fold of many means the program.
 *
 * If nobody catches it, the program ends without a stack, with the exit code of the fit that was stopped. In the REPL and in notebooks it is
 * not thrown.
 */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
  /** What told the program to stop. */
  readonly signal: Deno.Signal;

  constructor(signal: Deno.Signal) {
    super(`${signal} told the program to stop during an earlier \`fit\`, so that no other one begins`);
    this.signal = signal;
  }
}

/** A fit was stopped. @param signal what told it, here or on another rank */
export function noteStop(signal: Deno.Signal): void {
  stoppedBy = signal;
}

/** @throws StoppedError if a fit of this program was told to stop, unless somebody sits at it */
export function throwIfStopped(): void {
  if (stoppedBy === undefined || isInteractive) return;
  endQuietly();
  throw new StoppedError(stoppedBy);
}

let isListening = false;

/** An uncaught StoppedError is no failure of the program. */
function endQuietly(): void {
  if (isListening) return;
  isListening = true;
  globalThis.addEventListener("unhandledrejection", (event) => {
    if (!(event.reason instanceof StoppedError)) return;
    event.preventDefault();
    info(event.reason.message);
    Deno.exit();
  });
}
