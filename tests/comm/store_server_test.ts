import assert from "node:assert/strict";
import { connectStore } from "../../runtime/comm/connect_store.ts";
import { StoreServer } from "../../runtime/comm/store_server.ts";
import { Context } from "../../runtime/comm/zmq_context.ts";
import { SocketType } from "../../runtime/comm/zmq_socket.ts";
import { CommTimeoutError } from "../../runtime/core/errors.ts";
import { RunKey } from "../../runtime/core/run_key.ts";
import { storeSuite } from "./store_suite.ts";

storeSuite("store over sockets", async () => {
  const server = await StoreServer.listen();
  const stores = await Promise.all([connectStore({ port: server.port }), connectStore({ port: server.port })]);
  return {
    stores: stores as [typeof stores[0], typeof stores[0]],
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
});

Deno.test("a port in use is an error that names it", async () => {
  await using server = await StoreServer.listen();
  await assert.rejects(StoreServer.listen({ port: server.port }), (error: Error) => {
    assert.match(error.message, new RegExp(`port ${server.port} of 127.0.0.1 is in use`));
    return true;
  });
});

Deno.test("what is no port or no address is refused", async () => {
  await assert.rejects(StoreServer.listen({ port: 70_000 }), RangeError);
  await assert.rejects(
    StoreServer.listen({ address: "256.1.1.1", runKey: RunKey.random() }),
    /cannot listen at 256.1.1.1/,
  );
  await assert.rejects(StoreServer.listen({ address: "a b" }), TypeError);
  await assert.rejects(connectStore({ port: 0 }), RangeError);
});

Deno.test("connecting where nobody listens times out with the address", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await assert.rejects(
    connectStore({ port, timeoutMs: 50 }),
    (error) => error instanceof CommTimeoutError && error.message.includes(`127.0.0.1:${port}`),
  );
});

Deno.test("a client may connect before the store listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const connecting = connectStore({ port, timeoutMs: 20_000 });
  await using _server = await StoreServer.listen({ port });
  await using store = await connecting;
  assert.equal(await store.add("n", 2), 2);
});

Deno.test("garbage from strangers is dropped and the store goes on", async () => {
  await using server = await StoreServer.listen();
  await using store = await connectStore({ port: server.port });
  await using context = new Context();
  const stranger = context.socket(SocketType.DEALER);
  stranger.connect(`tcp://127.0.0.1:${server.port}`);
  for (let length = 0; length < 64; length++) {
    stranger.send(crypto.getRandomValues(new Uint8Array(length)));
  }
  // A set whose key claims 4 GB, a wait that claims 4 billion keys, a request with a tail, three parts.
  stranger.send(new Uint8Array([1, 2, 0, 0, 0, 0, 255, 255, 255, 255, 65]));
  stranger.send(new Uint8Array([1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]));
  stranger.send(new Uint8Array([1, 3, 0, 0, 0, 0, 1, 0, 0, 0, 65, 9]));
  stranger.send(new Uint8Array([1]), true);
  stranger.send(new Uint8Array([1, 1, 0, 0, 0, 0]));
  using raw = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await raw.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  for (let i = 1; i <= 20; i++) assert.equal(await store.add("n", 1), i);
  assert.equal(stranger.receive(), undefined);
});

Deno.test("a wait parked for a client that left does not disturb the store", async () => {
  await using server = await StoreServer.listen();
  const leaver = await connectStore({ port: server.port });
  const waiting = assert.rejects(leaver.wait(["key"]), /closed/);
  await leaver[Symbol.asyncDispose]();
  await waiting;
  await using store = await connectStore({ port: server.port });
  await store.set("key", new Uint8Array([1]));
  assert.deepEqual(await store.get("key"), new Uint8Array([1]));
});
