/** What a process leaves that ends without having closed it. */
export interface Leavable {
  /** Says that the process ends. Blocks, shortly. */
  leaveNow(exitCode: number): void;
  /** Says that something was thrown, which ends the process unless somebody handles it. */
  noteError(error: unknown): void;
}

/**
 * Lets a group be left when the process ends by itself, by `Deno.exit`, or by an error that nobody catches. Disposing of what it returns stops that.
 * A process that is killed does not get to it.
 */
export function leaveAtExit(group: Leavable): Disposable {
  const atEnd = () => group.leaveNow(Number(Deno.exitCode));
  const atError = (event: ErrorEvent) => group.noteError(event.error);
  const atRejection = (event: PromiseRejectionEvent) => group.noteError(event.reason);
  globalThis.addEventListener("unload", atEnd);
  globalThis.addEventListener("error", atError);
  globalThis.addEventListener("unhandledrejection", atRejection);
  return {
    [Symbol.dispose]() {
      globalThis.removeEventListener("unload", atEnd);
      globalThis.removeEventListener("error", atError);
      globalThis.removeEventListener("unhandledrejection", atRejection);
    },
  };
}
