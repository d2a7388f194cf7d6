/** What ends a run: Ctrl-C, a request to end, the terminal closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Calls back for every signal that asks this process to end, which then does not end it. Disposing gives the signals back. */
export function listenForSignals(listener: (signal: typeof SIGNALS[number]) => void): Disposable {
  const handlers = SIGNALS.map((signal) => [signal, () => listener(signal)] as const);
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
    },
  };
}
