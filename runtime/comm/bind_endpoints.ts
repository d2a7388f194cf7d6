import { isLoopback } from "../core/loopback.ts";
import type { CurveKeys } from "./curve_keys.ts";
import { tcpEndpoint } from "./endpoint.ts";
import type { Context } from "./zmq_context.ts";
import type { Socket, SocketOptions, SocketType } from "./zmq_socket.ts";

/** The longest path of a socket file that every system takes. */
const MAX_PATH = 100;

/** Where a rank listens, by what it is good for. */
export interface Endpoints {
  ipc?: string;
  loopback?: string;
  network?: string;
}

/** Options of {@linkcode bindEndpoints}. */
export interface BindOptions {
  /** How ranks of this host reach it. Default: ipc; on Windows tcp. */
  transport?: "ipc" | "tcp";
  /** The address at which other hosts reach this one; only with a `curve`. Default: none, they cannot. */
  host?: string;
  /** Where the socket file lies. Default: the system's folder for temporary files. */
  folder?: string;
  /** What connections by TCP are encrypted with. Default: nothing. */
  curve?: CurveKeys;
}

/** A socket that others can connect to. */
export interface BoundSocket {
  readonly socket: Socket;
  readonly endpoints: Endpoints;
  /** Removes the socket file. Who is connected stays so. */
  removeFiles(): Promise<void>;
}

/**
 * Binds a socket, on ports or a file that nobody else uses.
 * @param type the socket's, with what it is made with
 * @throws Error if other hosts could reach it and there is no key; TypeError for an unknown transport
 */
export async function bindEndpoints(
  context: Context,
  type: { type: SocketType } & SocketOptions,
  options: BindOptions,
): Promise<BoundSocket> {
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
  try {
    const socket = context.socket(type.type, { ...type, ipv6: host?.includes(":") });
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
    return { socket, endpoints, removeFiles };
  } catch (error) {
    await removeFiles();
    throw error;
  }
}

/** Connects a socket to a {@linkcode bindEndpoints bound} one. */
export function connectTo(socket: Socket, endpoint: string, curve?: CurveKeys): void {
  if (curve && endpoint.startsWith("tcp:")) socket.connectByCurve(curve);
  socket.connect(endpoint);
}

/** A new folder that only this user can look into, with a name short enough for a socket. */
async function privateFolder(parent?: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "weft-", dir: parent });
  if (folder.length + "/inbox".length <= MAX_PATH) return folder;
  await Deno.remove(folder);
  return await Deno.makeTempDir({ prefix: "weft-", dir: "/tmp" });
}
