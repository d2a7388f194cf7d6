import { closeDebugger } from "../runtime/core/preemption.ts";

/** What ends a run: Ctrl-C, a request to end, the terminal closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Options of {@linkcode listenForSignals}. */
export interface ListenOptions {
  /** More signals that end a run: the cluster's warning that it wants the machine back. Default: none. */
  preemption?: readonly Deno.Signal[];
}

/**
 * Calls back for every signal that asks this process to end, which then does not end it. Disposing gives the signals back.
 * A cluster warns first and sends TERM later: the TERM after its warning is no second wish.
 */
export function listenForSignals(listener: (signal: Deno.Signal) => void, options: ListenOptions = {}): Disposable {
  const { preemption = [] } = options;
  let warned = false;
  const handlers = [...SIGNALS, ...preemption].map((signal) => {
    const handler = () => {
      if (signal === "SIGUSR1") void closeDebugger();
      if (preemption.includes(signal)) {
        if (warned) return;
        warned = true;
      } else if (signal === "SIGTERM" && warned) {
        warned = false;
        return;
      }
      listener(signal);
    };
    return [signal, handler] as const;
  });
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
    },
  };
}
