/** Does the harm of a fault, if it is this rank's turn. */
import { processEnvironment } from "../../../runtime/environments/process_environment.ts";
import { Context } from "../../../runtime/comm/zmq_context.ts";
import { SocketType } from "../../../runtime/comm/zmq_socket.ts";
import type { Fault } from "../fault.ts";
import { loseHost } from "./lose_host.ts";

const { RANK, WEFT_RESTART, MASTER_PORT, FAULT_FOLDER } = processEnvironment();

/** @param step steps done so far */
export async function harm(fault: Fault, step: number): Promise<void> {
  if (fault.kind === "host") return await loseHost(fault, step);
  if (WEFT_RESTART !== "0" || step !== fault.step && fault.place === "training step") return;
  if (fault.kind === "clock") {
    // Every rank's clock goes somewhere else, the failing rank's far into the future.
    const jump = Number(RANK) === fault.rank ? 1e9 : -1e9, now = Date.now;
    Date.now = () => now() + jump;
  }
  if (Number(RANK) !== fault.rank) return;
  Deno.writeTextFileSync(`${FAULT_FOLDER}/harm`, String(performance.timeOrigin + performance.now()));
  switch (fault.kind as Fault["kind"] | "wait") {
    case "throw":
    case "clock":
      throw new RangeError("harm was done");
    case "exit":
      return Deno.exit(0);
    case "kill":
      return Deno.kill(Deno.pid, "SIGKILL");
    case "stop":
      return Deno.kill(Deno.pid, "SIGSTOP");
    case "launcher":
      return Deno.kill(Deno.ppid, "SIGKILL");
    case "memory":
      for (const all: unknown[] = [];;) all.push(new Array(10_000).fill(all.length).map((n) => ({ n })));
    case "connection":
      return cutConnections();
    case "garbage":
      return await sendGarbage();
    case "wait":
      // As one that computes for ever.
      await new Promise(() => setInterval(() => {}, 1_000));
  }
}

/** Ends every connection of this process, as a network does that is gone. */
function cutConnections(): void {
  using libc = open();
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    // Of a pair that a process has for itself neither end has a name; files and what only listens have no other end.
    const descriptor = Number(name),
      isNamed = (call: typeof libc.symbols.getpeername) => {
        const length = Uint32Array.of(128);
        return call(descriptor, new Uint8Array(128), length) === 0 && length[0] > 2;
      };
    const { getpeername, getsockname, shutdown } = libc.symbols;
    const isConnected = getpeername(descriptor, new Uint8Array(128), Uint32Array.of(128)) === 0;
    if (isConnected && (isNamed(getpeername) || isNamed(getsockname))) shutdown(descriptor, 2);
  }
}

function open() {
  const name = { parameters: ["i32", "buffer", "buffer"], result: "i32" } as const;
  const libc = Deno.dlopen("libc.so.6", {
    shutdown: { parameters: ["i32", "i32"], result: "i32" },
    getpeername: name,
    getsockname: name,
  });
  return Object.assign(libc, { [Symbol.dispose]: () => libc.close() });
}

/** To the store: bytes that are no ZeroMQ, and messages of ZeroMQ that are no requests. */
async function sendGarbage(): Promise<void> {
  const junk = () => crypto.getRandomValues(new Uint8Array(1 + Math.floor(Math.random() * 2_000)));
  using connection = await Deno.connect({ port: Number(MASTER_PORT) });
  await connection.write(junk()).catch(() => {});
  const context = new Context();
  const socket = context.socket(SocketType.DEALER);
  socket.connect(`tcp://127.0.0.1:${MASTER_PORT}`);
  for (let i = 0; i < 50; i++) socket.send(junk());
  await context.close(200);
}
