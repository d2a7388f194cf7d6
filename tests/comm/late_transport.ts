import { Head } from "../../runtime/comm/frame.ts";
import type { Transport } from "../../runtime/comm/transport.ts";

/** Makes what a transport sends to some ranks come later; what is on its way when it is closed does not come. */
export function delay(transport: Transport, options: { isLate: (to: number) => boolean; delayMs: number }): void {
  const { isLate, delayMs } = options;
  const send = transport.send.bind(transport), close = transport.close.bind(transport);
  let isClosed = false;
  transport.close = (lingerMs: number) => {
    isClosed = true;
    return close(lingerMs);
  };
  transport.send = (to: number, head: Head, payload: Uint8Array, inPlace: boolean) => {
    if (!isLate(to)) return send(to, head, payload, inPlace);
    const late = new Head(head.bytes.slice().buffer), bytes = payload.slice();
    setTimeout(() => isClosed || send(to, late, bytes, false), delayMs);
  };
}
