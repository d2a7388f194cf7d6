/** `knock.ts ADDRESS PORT…`: says to each port what a stranger might, and waits until he is hung up on. Prints how often that was. */
import { Context } from "../../../runtime/comm/zmq_context.ts";
import { SocketType } from "../../../runtime/comm/zmq_socket.ts";
import { curveKeys } from "../../../runtime/comm/curve_keys.ts";
import { STORE_VERSION, StoreOp, StoreWriter } from "../../../runtime/comm/store_wire.ts";
import { RunKey } from "../../../runtime/core/run_key.ts";

const [hostname, ...ports] = Deno.args;
let hungUp = 0;
const garbage = [
  new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n".repeat(8)),
  crypto.getRandomValues(new Uint8Array(9999)),
];
for (const port of ports.map(Number)) {
  for (const bytes of garbage) {
    using connection = await Deno.connect({ hostname, port });
    // The word that hangs up may be lost, and comes again only to somebody who goes on speaking.
    const insisting = setInterval(() => void connection.write(new Uint8Array(1)).catch(() => {}), 1000);
    try {
      await connection.write(bytes);
      for await (const _ of connection.readable);
    } catch {
      // Reset, which is as good.
    }
    clearInterval(insisting);
    hungUp++;
  }
}
// As a rank or a launcher of another run would: the answer never comes, so nobody waits for it here.
await using context = new Context();
for (const keys of [undefined, await curveKeys(RunKey.random())]) {
  for (const port of ports) {
    const socket = context.socket(SocketType.DEALER);
    if (keys) socket.connectByCurve(keys);
    socket.connect(`tcp://${hostname}:${port}`);
    socket.send(new StoreWriter().u8(STORE_VERSION).u8(StoreOp.delete).u32(1).text("launcher/generation").finish());
  }
}
console.log(`hung up on ${hungUp} times`);
