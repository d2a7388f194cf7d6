import { info } from "../core/messages.ts";

/** Exit code of a process that a signal ended: 128 and its number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Listens for Ctrl-C and SIGTERM: the first calls `onFirst`, the second ends the process. Disposing stops it.
 */
export function listenForSignals(onFirst: () => void): Disposable {
  let asked = false;
  const listeners = (Object.keys(EXIT_CODES) as (keyof typeof EXIT_CODES)[]).map((signal) => {
    const listener = () => {
      if (asked) Deno.exit(EXIT_CODES[signal]);
      asked = true;
      info(`Received ${signal}: stopping after this training step. Once more to abort.`);
      onFirst();
    };
    try {
      Deno.addSignalListener(signal, listener);
    } catch {
      // Windows has no SIGTERM.
      return () => {};
    }
    return () => Deno.removeSignalListener(signal, listener);
  });
  return { [Symbol.dispose]: () => listeners.forEach((remove) => remove()) };
}
