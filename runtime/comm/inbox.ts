import { bindEndpoints, type BindOptions, type Endpoints } from "./bind_endpoints.ts";
import type { Transport } from "./transport.ts";
import { Context } from "./zmq_context.ts";
import { type Socket, SocketType } from "./zmq_socket.ts";
import { INBOX_OPTIONS, ZmqTransport, type ZmqTransportOptions } from "./zmq_transport.ts";

/** Where a rank is reached, before it is connected with the others. */
export interface BoundInbox {
  readonly endpoints: Endpoints;
  /**
   * Connects to the others, which need not be there yet. The transport owns the inbox from now on.
   * @param endpoints of all ranks, by rank; this one's own is not used
   */
  connect(rank: number, endpoints: readonly string[]): Transport;
  /** Ends it, connected or not. */
  close(): Promise<void>;
  /** Removes the socket file. Who is connected stays so. */
  removeFiles(): Promise<void>;
}

/** An inbox of ZeroMQ. */
export interface ZmqInbox extends BoundInbox {
  readonly context: Context;
  readonly socket: Socket;
}

/** Options of {@linkcode openInbox}. */
export interface InboxOptions extends ZmqTransportOptions, BindOptions {}

/**
 * Binds an inbox, on a port or a file that nobody else uses.
 * @throws Error if other hosts could reach it and there is no key
 */
export async function openInbox(options: InboxOptions): Promise<ZmqInbox> {
  const context = new Context({ ioThreads: 1 });
  try {
    const bound = await bindEndpoints(context, { type: SocketType.PULL, ...INBOX_OPTIONS }, options);
    return {
      ...bound,
      context,
      connect: (rank, endpoints) =>
        new ZmqTransport(context, bound.socket, {
          ...{ firstWaitUs: options.firstWaitUs, curve: options.curve, rank, endpoints },
        }),
      close: () => context.close(),
    };
  } catch (error) {
    context[Symbol.dispose]();
    throw error;
  }
}
