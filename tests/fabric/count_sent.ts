import { HEAD_BYTES, KINDS } from "../../runtime/comm/frame.ts";
import { ZmqTransport } from "../../runtime/comm/zmq_transport.ts";

/** What this rank sent to the others in a stretch of its program. */
export interface Sent {
  frames: number;
  /** With the heads of the frames. */
  bytes: number;
  /** The collectives that they were for, e.g. `allReduce of 25`. */
  collectives: string[];
}

/** Counts what leaves this process by its process group from now on. Returns what takes the count so far and begins anew. */
export function countSent(): () => Sent {
  let frames = 0, bytes = 0, collectives = new Map<number, string>();
  const { send } = ZmqTransport.prototype;
  ZmqTransport.prototype.send = function (to, head, payload, inPlace) {
    frames++;
    bytes += HEAD_BYTES + payload.byteLength;
    collectives.set(head.sequence, `${KINDS[head.bytes[5]]} of ${head.count}`);
    send.call(this, to, head, payload, inPlace);
  };
  return () => {
    const sent = { frames, bytes, collectives: [...collectives.values()] };
    [frames, bytes, collectives] = [0, 0, new Map()];
    return sent;
  };
}
