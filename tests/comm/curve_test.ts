import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { connectStore } from "../../runtime/comm/connect_store.ts";
import { type CurveKeys, curveKeys } from "../../runtime/comm/curve_keys.ts";
import { openInbox } from "../../runtime/comm/inbox.ts";
import { joinProcessGroup } from "../../runtime/comm/join_process_group.ts";
import { MemoryStore } from "../../runtime/comm/memory_store.ts";
import { StoreServer } from "../../runtime/comm/store_server.ts";
import { STORE_VERSION, StoreOp, StoreWriter } from "../../runtime/comm/store_wire.ts";
import { Context } from "../../runtime/comm/zmq_context.ts";
import { SocketType } from "../../runtime/comm/zmq_socket.ts";
import { RunKey } from "../../runtime/core/run_key.ts";
import { CASES } from "./process_group_suite.ts";
import { Relay } from "./relay.ts";
import { storeSuite } from "./store_suite.ts";

const KEY = RunKey.parse("00112233445566778899aabbccddeeff".repeat(2));

storeSuite("store by CURVE", async () => {
  const server = await StoreServer.listen({ runKey: KEY });
  const at = { port: server.port, runKey: KEY };
  const stores = await Promise.all([connectStore(at), connectStore(at)]);
  return {
    stores: stores as [typeof stores[0], typeof stores[0]],
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
});

Deno.test("a run's key pair is Curve25519's, and its secret follows from the key by HKDF", async () => {
  const { publicKey, secretKey } = await curveKeys(KEY);
  const material = Uint8Array.fromHex(KEY.toText());
  assert.deepEqual(z85(secretKey), new Uint8Array(hkdfSync("sha256", material, "", "weft curve 1", 32)));
  // What comes before the key itself in PKCS #8, for X25519 (RFC 8410).
  const pkcs8 = new Uint8Array([...Uint8Array.fromHex("302e020100300506032b656e04220420"), ...z85(secretKey)]);
  const known = await crypto.subtle.importKey("pkcs8", pkcs8, "X25519", true, ["deriveBits"]);
  const { x } = await crypto.subtle.exportKey("jwk", known);
  assert.deepEqual(z85(publicKey), Uint8Array.fromBase64(x!, { alphabet: "base64url" }));
});

Deno.test("3 ranks whose sockets are encrypted do all that a process group does", async () => {
  await using store = new MemoryStore();
  const groups = await Promise.all([0, 1, 2].map((rank) =>
    joinProcessGroup({
      ...{ store, rank, worldSize: 3, firstWaitUs: 0, timeoutMs: 20_000, chunkBytes: 50_000 },
      ...{ transport: "tcp", runKey: KEY },
    })
  ));
  for (const body of Object.values(CASES)) {
    const results = await Promise.all(groups.map(body));
    for (const result of results) assert.deepEqual(result, results[0]);
  }
  await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
});

Deno.test("nothing that others could read goes between a store and who has its key, not even a public key", async () => {
  await using server = await StoreServer.listen({ runKey: KEY });
  await using relay = new Relay(server.port);
  {
    await using store = await connectStore({ port: relay.port, runKey: KEY });
    await store.set("a key in the clear", new TextEncoder().encode("a value in the clear"));
    assert.equal(await store.ownAddress(), "127.0.0.1");
  }
  assert.ok(relay.seen.includes("CURVE"), "the relay saw the handshake");
  const { publicKey, secretKey } = await curveKeys(KEY);
  const hidden = [publicKey, secretKey, ...[publicKey, secretKey].map((key) => String.fromCharCode(...z85(key)))];
  for (const secret of ["in the clear", ...hidden]) assert.ok(!relay.seen.includes(secret), secret);
});

const STRANGERS: [string, () => Promise<CurveKeys | undefined>][] = [
  ["without a key", () => Promise.resolve(undefined)],
  ["with the key of another run", () => curveKeys(RunKey.random())],
  // The key pair of the run as his own does not help him who takes the server for another.
  [
    "with another public key of the server",
    async () => ({ ...await curveKeys(KEY), publicKey: (await curveKeys(RunKey.random())).publicKey }),
  ],
];
for (const [who, keys] of STRANGERS) {
  Deno.test(`a stranger ${who} is hung up on by the store, before he can say anything`, async () => {
    await using server = await StoreServer.listen({ runKey: KEY });
    await using store = await connectStore({ port: server.port, runKey: KEY });
    await using relay = new Relay(server.port);
    await using context = new Context();
    const stranger = context.socket(SocketType.DEALER);
    const curve = await keys();
    if (curve) stranger.connectByCurve(curve);
    stranger.connect(`tcp://127.0.0.1:${relay.port}`);
    stranger.send(
      new StoreWriter().u8(STORE_VERSION).u8(StoreOp.set).u32(1).text("stranger").bytes(new Uint8Array(1)).finish(),
    );
    await relay.hangsUp();
    assert.equal(stranger.receive(), undefined);
    assert.equal(await store.get("stranger"), undefined);
  });

  Deno.test(`a stranger ${who} is hung up on by a rank, and the ranks go on`, async () => {
    await using store = new MemoryStore();
    const groups = await Promise.all(
      [0, 1].map((rank) =>
        joinProcessGroup({ store, rank, worldSize: 2, runKey: KEY, host: "127.0.0.1", transport: "ipc" })
      ),
    );
    const card = JSON.parse(new TextDecoder().decode(await store.get("group/run/0/main/rank/0")));
    await using relay = new Relay(Number(card.network.split(":").at(-1)));
    await using context = new Context();
    const stranger = context.socket(SocketType.PUSH);
    const curve = await keys();
    if (curve) stranger.connectByCurve(curve);
    stranger.connect(`tcp://127.0.0.1:${relay.port}`);
    stranger.send(new Uint8Array(100));
    await relay.hangsUp();
    const sums = await Promise.all(groups.map((group) => group.allReduce(new Float32Array([group.rank + 1]))));
    assert.deepEqual(sums, [new Float32Array([3]), new Float32Array([3])]);
    await Promise.all(groups.map((group) => group[Symbol.asyncDispose]()));
  });
}

Deno.test("garbage on a port that takes CURVE alone is hung up on", async () => {
  await using server = await StoreServer.listen({ runKey: KEY });
  await using store = await connectStore({ port: server.port, runKey: KEY });
  const greeting = [
    0xff,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    1,
    0x7f,
    3,
    1,
    ...new TextEncoder().encode("CURVE"),
    ...Array(47).fill(0),
  ];
  const garbage = [
    new TextEncoder().encode("GET / HTTP/1.1\r\nHost: weft\r\n\r\n".repeat(3)),
    crypto.getRandomValues(new Uint8Array(4096)).fill(0x10, 0, 1),
    // The right first words, then a HELLO as long as it has to be that nobody can open.
    new Uint8Array([...greeting, 4, 200, 5, ...new TextEncoder().encode("HELLO"), 1, 0, ...Array(192).fill(7)]),
  ];
  for (const bytes of garbage) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await connection.write(bytes);
    try {
      for await (const _ of connection.readable);
    } catch {
      // Reset, which is as good.
    }
    assert.equal(typeof await store.add("rounds", 1), "number");
  }
});

Deno.test("sockets that other hosts could reach are not opened without a key", async () => {
  await assert.rejects(
    StoreServer.listen({ address: "0.0.0.0" }),
    /can be reached from other hosts.*needs the run's key/,
  );
  await assert.rejects(openInbox({ host: "10.1.2.3" }), /can be reached from other hosts.*needs the run's key/);
});

Deno.test("who comes to a store with another key, without one, or with one that it does not want is told so at once", async () => {
  let told = 0;
  await using server = await StoreServer.listen({ runKey: KEY, onWrongKey: () => told++ });
  await using open = await StoreServer.listen();
  await assert.rejects(connectStore({ port: server.port, runKey: RunKey.random() }), {
    name: "Error",
    message:
      /^the store at tcp:.* refuses this key: it is not the one of the run that is there\. All hosts .* the same key/,
  });
  await assert.rejects(connectStore({ port: server.port }), /takes nobody without the run's key/);
  await assert.rejects(connectStore({ port: open.port, runKey: KEY }), /takes no key/);
  await using store = await connectStore({ port: server.port, runKey: KEY });
  assert.equal(await store.add("rounds", 1), 1);
  assert.equal(told, 1, "the store's side hears of it once");
});

Deno.test("who is hung up on by something in between, which has nobody to pass on to yet, goes on until the store is there", async () => {
  await using server = await StoreServer.listen({ runKey: KEY });
  await using relay = new Relay(server.port, { refusals: 7 });
  await using store = await connectStore({ port: relay.port, runKey: KEY });
  assert.equal(await store.add("rounds", 1), 1);
});

Deno.test("a store that comes after who wants to connect to it, with his key, is no stranger", async () => {
  const before = await StoreServer.listen({ runKey: KEY });
  const { port } = before;
  await before[Symbol.asyncDispose]();
  const coming = connectStore({ port, runKey: KEY });
  await using _server = await StoreServer.listen({ port, runKey: KEY });
  await using store = await coming;
  assert.equal(await store.add("rounds", 1), 1);
});

/** 32 bytes as ZeroMQ writes them (https://rfc.zeromq.org/spec/32). */
function z85(text: string): Uint8Array {
  const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  const bytes = new Uint8Array(32), view = new DataView(bytes.buffer);
  for (let i = 0; i < 8; i++) {
    let word = 0;
    for (const digit of text.slice(5 * i, 5 * i + 5)) word = word * 85 + digits.indexOf(digit);
    view.setUint32(4 * i, word);
  }
  return bytes;
}
