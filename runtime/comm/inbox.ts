import { isLoopback } from "../core/loopback.ts";
import { tcpEndpoint } from "./endpoint.ts";
import type { Transport } from "./transport.ts";
import { Context, type Socket, SocketType } from "./zmq.ts";
import { INBOX_OPTIONS, ZmqTransport, type ZmqTransportOptions } from "./zmq_transport.ts";

/** The longest path of a socket file that every system takes. */
const MAX_PATH = 100;

/** Where an inbox listens, by what it is good for. */
export interface Endpoints {
  ipc?: string;
  loopback?: string;
  network?: string;
}

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
export interface InboxOptions extends ZmqTransportOptions {
  /** How ranks of this host reach it. Default: ipc; on Windows tcp. */
  transport?: "ipc" | "tcp";
  /** The address at which other hosts reach this one; only with a `curve`. Default: none, they cannot. */
  host?: string;
  /** Where the socket file lies. Default: the system's folder for temporary files. */
  folder?: string;
}

/**
 * Binds an inbox, on a port or a file that nobody else uses.
 * @throws Error if other hosts could reach it and there is no key
 */
export async function openInbox(options: InboxOptions): Promise<ZmqInbox> {
  const transport = options.transport ?? (Deno.build.os === "windows" ? "tcp" : "ipc");
  if (transport !== "ipc" && transport !== "tcp") {
    throw new TypeError(`transport is ${JSON.stringify(transport)}; it must be ipc or tcp`);
  }
  const { host, curve } = options;
  if (host !== undefined && !curve && !isLoopback(host)) {
    throw new Error(`an inbox at ${host} can be reached from other hosts: it needs the run's key (runKey)`);
  }
  const folder = transport === "ipc" ? await privateFolder(options.folder) : undefined;
  const removeFiles = async () => {
    if (folder) await Deno.remove(folder, { recursive: true }).catch(() => {});
  };
  const context = new Context({ ioThreads: 1 });
  try {
    const socket = context.socket(SocketType.PULL, { ...INBOX_OPTIONS, ipv6: host?.includes(":") });
    const endpoints: Endpoints = {};
    if (folder) endpoints.ipc = socket.bind(`ipc://${folder}/inbox`);
    // What was bound before stays as it is: only this user can open a socket file.
    if (curve) socket.serveByCurve(curve);
    if (!folder) endpoints.loopback = socket.bind("tcp://127.0.0.1:*");
    if (host !== undefined) {
      // At all addresses of this host: what others call it may be a name, or an address that is translated on the way.
      const bound = socket.bind(isLoopback(host) ? tcpEndpoint(host, "*") : "tcp://*:*");
      endpoints.network = tcpEndpoint(host, Number(bound.slice(bound.lastIndexOf(":") + 1)));
    }
    return {
      ...{ context, socket, endpoints, removeFiles },
      connect: (rank, endpoints) =>
        new ZmqTransport(context, socket, { firstWaitUs: options.firstWaitUs, curve, rank, endpoints }),
      close: () => context.close(),
    };
  } catch (error) {
    context[Symbol.dispose]();
    await removeFiles();
    throw error;
  }
}

/** A new folder that only this user can look into, with a name short enough for a socket. */
async function privateFolder(parent?: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "weft-", dir: parent });
  if (folder.length + "/inbox".length <= MAX_PATH) return folder;
  await Deno.remove(folder);
  return await Deno.makeTempDir({ prefix: "weft-", dir: "/tmp" });
}
