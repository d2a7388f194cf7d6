import { tcpEndpoint } from "./endpoint.ts";
import { Context, type Socket, SocketType } from "./zmq.ts";
import { INBOX_OPTIONS } from "./zmq_transport.ts";

/** The longest path of a socket file that every system takes. */
const MAX_PATH = 100;

/** A rank's bound inbox. */
export interface Inbox {
  context: Context;
  socket: Socket;
  /** Where it listens. */
  endpoints: { ipc?: string; loopback?: string; network?: string };
  /** Removes the socket file. Who is connected stays so. */
  removeFiles: () => Promise<void>;
}

/** Binds an inbox, on a port or a file that nobody else uses. */
export async function openInbox(
  options: { transport?: "ipc" | "tcp"; host?: string; folder?: string },
): Promise<Inbox> {
  const transport = options.transport ?? (Deno.build.os === "windows" ? "tcp" : "ipc");
  if (transport !== "ipc" && transport !== "tcp") {
    throw new TypeError(`transport is ${JSON.stringify(transport)}; it must be ipc or tcp`);
  }
  const network = options.host === undefined ? undefined : tcpEndpoint(options.host, "*");
  const folder = transport === "ipc" ? await privateFolder(options.folder) : undefined;
  const removeFiles = async () => {
    if (folder) await Deno.remove(folder, { recursive: true }).catch(() => {});
  };
  const context = new Context({ ioThreads: 1 });
  try {
    const socket = context.socket(SocketType.PULL, { ...INBOX_OPTIONS, ipv6: options.host?.includes(":") });
    const endpoints: Inbox["endpoints"] = {};
    if (folder) endpoints.ipc = socket.bind(`ipc://${folder}/inbox`);
    else endpoints.loopback = socket.bind("tcp://127.0.0.1:*");
    if (network) endpoints.network = socket.bind(network);
    return { context, socket, endpoints, removeFiles };
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
