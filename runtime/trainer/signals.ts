import { info } from "../core/messages.ts";
import type { Fabric } from "../fabric/fabric.ts";
import type { StopRequest } from "../fabric/stop_signals.ts";

/** Says that a fit will stop, and calls `onRequest`, when somebody wants it to. Disposing stops listening. */
export function listenForSignals(
  fabric: Fabric,
  options: { preemptionSignal: string | undefined; onRequest: (request: StopRequest) => void },
): Disposable {
  const { preemptionSignal, onRequest } = options;
  return fabric.onStopRequest((request) => {
    const more = request.isPreemption ? "" : " Once more to abort.";
    info(`Received ${request.signal}: stopping after this training step.${more}`);
    onRequest(request);
  }, { preemptionSignal });
}
