/** Frames from strangers and from a rank gone mad, on real sockets and in memory. */
import assert from "node:assert/strict";
import { fc } from "./deps.ts";
import { damaged, runs } from "./settings.ts";
import { connectStore } from "../../runtime/comm/connect_store.ts";
import { DTYPES, FrameType, Head, KINDS, OPS } from "../../runtime/comm/frame.ts";
import { memoryTransports } from "../../runtime/comm/memory_transport.ts";
import { StoreServer } from "../../runtime/comm/store_server.ts";
import { STORE_VERSION, StoreOp, StoreWriter } from "../../runtime/comm/store_wire.ts";
import { TransportGroup } from "../../runtime/comm/transport_group.ts";
import { Context } from "../../runtime/comm/zmq_context.ts";
import { SocketType } from "../../runtime/comm/zmq_socket.ts";
import { systemClock } from "../../runtime/core/clock.ts";

const request = fc.tuple(
  fc.constantFrom(...Object.values(StoreOp)),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.array(fc.oneof(fc.string({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), fc.double(), fc.nat(255)), {
    maxLength: 4,
  }),
).map(([op, id, fields]) => {
  const writer = new StoreWriter().u8(STORE_VERSION).u8(op).u32(id);
  for (const field of fields) {
    if (typeof field === "string") writer.text(field);
    else if (field instanceof Uint8Array) writer.bytes(field);
    else if (Number.isInteger(field) && field < 256 && field >= 0) writer.u8(field);
    else writer.f64(field);
  }
  return writer.finish();
});

Deno.test("a store that strangers write to goes on serving the ranks, and keeps what they set", async () => {
  await using server = await StoreServer.listen({ port: 0 });
  await using store = await connectStore({ port: server.port });
  await store.set("ours, and nobody else's", Uint8Array.of(1, 2, 3));
  await using context = new Context();
  const stranger = context.socket(SocketType.DEALER, {});
  stranger.connect(`tcp://127.0.0.1:${server.port}`);
  const messages = fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged(request), request);
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(messages, { minLength: 20, maxLength: 20 }), async (all) => {
      for (const message of all) {
        stranger.send(message);
        sent++;
      }
      while (stranger.receive()) {
        // Answers are not read by anybody else.
      }
      assert.equal(typeof await store.add("rounds", 1), "number");
    }),
    runs(1_000),
  );
  assert.ok(sent >= 20);
  // Nothing but a request that names the key changes it, and no stranger guesses it.
  assert.deepEqual(await store.get("ours, and nobody else's"), Uint8Array.of(1, 2, 3));
});

const head = fc.record({
  type: fc.constantFrom(...Object.values(FrameType), 0, 99),
  sequence: fc.constantFrom(0, 1, 2, 3, -1, NaN, 2 ** 53),
  kind: fc.nat(KINDS.length),
  dtype: fc.nat(DTYPES.length),
  op: fc.nat(OPS.length),
  count: fc.constantFrom(0, 4, 5, -1, 2 ** 40, NaN),
  root: fc.nat(3),
  purpose: fc.constantFrom(undefined, "the gradients", ""),
  step: fc.oneof(fc.nat(4), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  source: fc.constantFrom(0, 1, 2, 2 ** 31),
  generation: fc.constantFrom(0, 1),
  token: fc.constantFrom(0n, 7n),
  length: fc.option(fc.nat(100)),
  // Mostly the one that is due, as others are not looked at further.
  number: fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, {
    weight: 1,
    arbitrary: fc.constantFrom(0, 2, NaN, 2 ** 53),
  }),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 32 }),
    fc.json({ maxDepth: 2 }).map((text) => new TextEncoder().encode(text)),
  ),
});

Deno.test("whatever one rank sends, the other's collective ends: with a result or with an error", async () => {
  const kinds = fc.constantFrom("allReduce", "allGather", "broadcast", "objects", "barrier");
  await fc.assert(
    fc.asyncProperty(fc.array(head, { maxLength: 8 }), kinds, async (frames, kind) => {
      const [mine, theirs] = memoryTransports(2);
      // Where nothing is left to wait for, the time is over at once.
      let now = 0;
      mine.wait = (timeoutMs) => {
        now += timeoutMs;
        return Promise.resolve();
      };
      const group = new TransportGroup(mine, {
        token: 7n,
        collectiveTimeoutMs: 5000,
        clock: { ...systemClock, now: () => now },
      });
      let due = 1;
      for (const frame of frames) {
        const { type, sequence, source, generation, token, step, length, payload } = frame;
        const signature = {
          kind: KINDS[frame.kind] ?? "none",
          dtype: DTYPES[frame.dtype] ?? "none",
          op: OPS[frame.op] ?? "none",
          root: frame.root,
          count: frame.count,
          purpose: frame.purpose,
        };
        const made = new Head().stamp(source, generation, token).sign(type, sequence, signature);
        made.step = step;
        made.number = frame.number ?? due;
        if (source === 1 && generation === 0 && token === 7n && made.number === due) due++;
        made.length = length ?? payload.length;
        theirs.send(0, made, payload, false);
      }
      const run = {
        allReduce: () => group.allReduce(new Float32Array(4)),
        allGather: () => group.allGather(new Float32Array(4)),
        broadcast: () => group.broadcast(new Float32Array(4), { root: 1 }),
        objects: () => group.allGatherObjects({ a: 1 }),
        barrier: () => group.barrier(),
      }[kind]!;
      try {
        await run();
      } catch (error) {
        assert.ok(error instanceof Error);
        assert.ok(!/Cannot read prop|is not a function|undefined is not/.test(error.message), `${error.stack}`);
      }
      await group[Symbol.asyncDispose]();
      await theirs.close(0);
    }),
    runs(15_000),
  );
});
