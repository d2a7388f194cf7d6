import type { ProcessGroup } from "../../comm/process_group.ts";
import { RankFailedError } from "../../core/errors.ts";
import { closeToNetwork } from "./close_to_network.ts";
import { configProto, type ConfigProtoOptions } from "./config_proto.ts";
import { type Context, createContext } from "./context.ts";
import type { OpenedLibrary } from "./open_library.ts";
import { serverDef } from "./server_def.ts";
import { Status } from "./status.ts";

/** What the engine runs on. */
export interface EngineRuntime {
  readonly library: OpenedLibrary;
  /** As the accelerator's own. */
  readonly config: ConfigProtoOptions;
}

/** A context whose server is open. */
export interface OpenServer {
  readonly status: Status;
  readonly context: Context;
}

/** What kept a rank's server from opening. */
interface Problem {
  readonly message: string;
  /** Whether another port may help. */
  readonly again: boolean;
}

/** Ranks choose new ports so often. */
const MOST_TRIES = 5;

/**
 * Opens TensorFlow's server in every rank. It has to be told the ports of all before it opens its own, so that somebody else may take one in between: then
 * all ranks choose anew.
 * @throws Error if this rank's server does not open; RankFailedError if another's does not
 */
export async function openServers(
  runtime: EngineRuntime,
  group: ProcessGroup,
  { address, choosePort }: { address: string | undefined; choosePort: () => number },
): Promise<OpenServer> {
  const host = address ?? "127.0.0.1";
  for (let tries = 1;; tries++) {
    const port = choosePort();
    const addresses = await group.allGatherObjects(`${host.includes(":") ? `[${host}]` : host}:${port}`);
    const mine = openServer(runtime, { addresses, rank: group.rank, port, isOpen: address !== undefined });
    // Nobody may call a server that is not there yet.
    const problems = await group.allGatherObjects("problem" in mine ? mine.problem : null).catch((error) => {
      close(mine);
      throw error;
    });
    const rank = problems.findIndex((problem) => problem !== null);
    if (rank < 0) return mine as OpenServer;
    close(mine);
    if (tries < MOST_TRIES && problems.every((problem) => problem?.again ?? true)) continue;
    if ("problem" in mine) throw new Error(mine.problem.message);
    throw new RankFailedError(`rank ${rank} failed: ${problems[rank]!.message}`, { rank });
  }
}

function openServer(
  { library, config }: EngineRuntime,
  { addresses, rank, port, isOpen }: { addresses: string[]; rank: number; port: number; isOpen: boolean },
): OpenServer | { problem: Problem } {
  // gRPC would send what goes to the other ranks to the proxy that `http_proxy` names, and wait for it forever.
  Deno.env.set("no_grpc_proxy", addresses.map((other) => other.replace(/:\d+$/, "")).join(","));
  const status = new Status(library.api);
  const context = createContext(library.api, status, config);
  let again = true;
  try {
    const definition = serverDef({ rank, addresses, config: configProto(config) });
    library.api.TFE_EnableCollectiveOps(context.pointer, definition, BigInt(definition.length), status.pointer);
    status.check(`cannot start its server at ${addresses[rank]}`);
    again = false;
    if (!isOpen && closeToNetwork(port) === 0) {
      throw new Error(`TensorFlow's server does not listen on port ${port}, so it cannot be closed to the network`);
    }
    return { status, context };
  } catch (error) {
    close({ status, context });
    return { problem: { message: (error as Error).message, again } };
  }
}

function close(server: OpenServer | { problem: Problem }): void {
  if ("problem" in server) return;
  server.context[Symbol.dispose]();
  server.status[Symbol.dispose]();
}

/** A port that nobody uses now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}
