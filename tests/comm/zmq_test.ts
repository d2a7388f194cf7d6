import assert from "node:assert/strict";
import { libzmq } from "../../runtime/comm/libzmq.ts";
import { bundledLibzmq, chooseBuild, setLibzmqPath } from "../../runtime/comm/libzmq_library.ts";
import { StoreServer } from "../../runtime/comm/store_server.ts";
import { Waiter } from "../../runtime/comm/waiter.ts";
import { Context } from "../../runtime/comm/zmq_context.ts";
import { SocketType } from "../../runtime/comm/zmq_socket.ts";

Deno.test("a library that is not there is an error that says what to do", async () => {
  try {
    setLibzmqPath("/nowhere/libzmq.so");
    await assert.rejects(StoreServer.listen(), (error: Error) => {
      assert.match(error.message, /cannot load libzmq from \/nowhere\/libzmq\.so.*LIBZMQ_PATH/);
      return error.cause instanceof Error;
    });
  } finally {
    setLibzmqPath(undefined);
  }
});

Deno.test("a file that is no libzmq is an error that says what to do", async () => {
  const file = await Deno.makeTempFile();
  try {
    setLibzmqPath(file);
    assert.throws(() => libzmq(), /cannot load libzmq from .*LIBZMQ_PATH/);
  } finally {
    setLibzmqPath(undefined);
    await Deno.remove(file);
  }
});

Deno.test("LIBZMQ_PATH may name the bundled library itself", async () => {
  try {
    setLibzmqPath(bundledLibzmq());
    await using server = await StoreServer.listen();
    assert.ok(server.port > 0);
  } finally {
    setLibzmqPath(undefined);
  }
});

Deno.test("the newest build for the platform and its C library is chosen", () => {
  const key = (os: string, libc: string, abi: number) => JSON.stringify({ os, arch: "x64", libc, abi });
  const manifest = {
    [key("linux", "glibc", 72)]: "old",
    [key("linux", "glibc", 127)]: "new",
    [key("linux", "musl", 200)]: "musl",
    [key("win32", "msvc", 300)]: "win32\\x64\\addon.node",
  };
  assert.equal(chooseBuild(manifest, { os: "linux", arch: "x64", libc: "glibc" }).path, "new");
  assert.equal(chooseBuild(manifest, { os: "win32", arch: "x64", libc: "msvc" }).path, "win32/x64/addon.node");
  assert.throws(
    () => chooseBuild(manifest, { os: "linux", arch: "arm64", libc: "glibc" }),
    /no libzmq for linux-arm64-glibc \(it has linux-x64-glibc, linux-x64-musl, win32-x64-msvc\).*LIBZMQ_PATH/,
  );
});

Deno.test("parts of a message arrive whole, copied or in place, of any size", async () => {
  await using context = new Context();
  const inbox = context.socket(SocketType.PULL), outbox = context.socket(SocketType.PUSH);
  outbox.connect(inbox.bind("tcp://127.0.0.1:*"));
  const waiter = new Waiter(context, [inbox]);
  for (const size of [0, 1, 8192, 3_000_000]) {
    const part = new Uint8Array(size).map((_, i) => i * 7);
    outbox.send(new Uint8Array([1, 2]), true);
    outbox.sendInPlace(part);
    let parts;
    while (!(parts = inbox.receive())) await waiter.wait(5000);
    assert.deepEqual(parts[0], new Uint8Array([1, 2]));
    assert.ok(parts[1].length === size && parts[1].every((byte, i) => byte === part[i]));
  }
  await waiter.close();
});

Deno.test("a message that is longer than the socket takes never arrives", async () => {
  await using context = new Context();
  const inbox = context.socket(SocketType.PULL, { maxMessageBytes: 1000 });
  const endpoint = inbox.bind("tcp://127.0.0.1:*");
  const stranger = context.socket(SocketType.PUSH), friend = context.socket(SocketType.PUSH);
  stranger.connect(endpoint);
  friend.connect(endpoint);
  stranger.send(new Uint8Array(1001));
  friend.send(new Uint8Array(1000));
  const waiter = new Waiter(context, [inbox]);
  let parts;
  while (!(parts = inbox.receive())) await waiter.wait(5000);
  assert.equal(parts[0].length, 1000);
  await waiter.close();
});

Deno.test("a wait ends when it is woken, and timers fire meanwhile", async () => {
  await using context = new Context();
  const inbox = context.socket(SocketType.PULL);
  inbox.bind("inproc://silent");
  const waiter = new Waiter(context, [inbox], { firstWaitUs: 100 });
  let fired = false;
  const timer = setTimeout(() => {
    fired = true;
    waiter.wake();
  }, 5);
  while (!fired) {
    assert.equal(waiter.waitBriefly(), false);
    await waiter.wait(60_000);
  }
  clearTimeout(timer);
  await waiter.close();
});

Deno.test("an endpoint that is none, and a closed context, are errors that name the call", () => {
  using context = new Context();
  const socket = context.socket(SocketType.PUSH);
  assert.throws(() => socket.connect("nonsense"), { name: "ZmqError", message: /cannot connect to nonsense/ });
  assert.throws(() => socket.bind("tcp://256.0.0.1:1"), { name: "ZmqError" });
  context[Symbol.dispose]();
  assert.ok(socket.isClosed);
  assert.throws(() => context.socket(SocketType.PUSH), /closed/);
});

for (
  const [ending, code] of [["await group[Symbol.asyncDispose]();", 0], ["Deno.exit(7);", 7], [
    "throw new Error('bad');",
    1,
  ]] as const
) {
  Deno.test(`a process that ends by ${ending} exits with ${code}, imported from a URL and without a configuration`, async () => {
    const root = new URL("../../", import.meta.url);
    await using web = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      const source = await Deno.readTextFile(new URL("." + new URL(request.url).pathname, root)).catch(() => undefined);
      return new Response(source, {
        status: source === undefined ? 404 : 200,
        headers: { "content-type": "application/typescript" },
      });
    });
    const folder = await Deno.makeTempDir();
    const base = `http://127.0.0.1:${web.addr.port}/runtime/comm`;
    await Deno.writeTextFile(
      `${folder}/script.ts`,
      `import { StoreServer } from "${base}/store_server.ts";
       import { connectStore } from "${base}/connect_store.ts";
       import { joinProcessGroup } from "${base}/join_process_group.ts";
       const server = await StoreServer.listen();
       const store = await connectStore({ port: server.port });
       const [group, other] = await Promise.all([0, 1].map((rank) => joinProcessGroup({ store, rank, worldSize: 2 })));
       await Promise.all([group.barrier(), other.barrier()]);
       await other[Symbol.asyncDispose]();
       await store[Symbol.asyncDispose]();
       await server[Symbol.asyncDispose]();
       ${ending}`,
    );
    const result = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", "script.ts"], cwd: folder }).output();
    await Deno.remove(folder, { recursive: true });
    assert.equal(result.code, code, new TextDecoder().decode(result.stderr));
    assert.equal(result.signal, null);
  });
}
