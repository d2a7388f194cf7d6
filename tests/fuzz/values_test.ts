/** Bytes from others that become values: objects between ranks, fields of the store's messages, headers of checkpoints. */
import assert from "node:assert/strict";
import { fc } from "./deps.ts";
import { damaged, runs } from "./settings.ts";
import { decodeObject, encodeObject } from "../../runtime/comm/object_codec.ts";
import { StoreReader } from "../../runtime/comm/store_wire.ts";
import { layOut, parseHeader } from "../../runtime/checkpoint/header.ts";

const sendable = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, undefined, true, NaN, -0, Infinity),
    fc.double(),
    fc.string(),
    fc.bigInt(),
    fc.float32Array({ maxLength: 5 }),
    fc.uint8Array({ maxLength: 9 }),
    fc.date({ noInvalidDate: true }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.tuple(fc.string(), tie("value")), { maxLength: 3 }).map((entries) => new Map(entries)),
  ),
})).value;

Deno.test("whatever is sent between ranks arrives as it was", () => {
  fc.assert(
    fc.property(sendable, (value) => assert.deepEqual(decodeObject(encodeObject(value)), value)),
    runs(5_000),
  );
});

Deno.test("bytes that are no object are an error that says so, and change no prototype", () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged(sendable.map(encodeObject)));
  fc.assert(
    fc.property(bytes, (bytes) => {
      try {
        decodeObject(bytes);
      } catch (error) {
        assert.match((error as Error).message, /^an object from another rank cannot be read: /);
      }
      assert.equal(Object.keys(Object.prototype).length, 0);
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    }),
    runs(30_000),
  );
  const json = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
  const message = new Uint8Array(4 + json.length);
  new DataView(message.buffer).setUint32(0, json.length, true);
  message.set(new TextEncoder().encode(json), 4);
  decodeObject(message);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

Deno.test("an array that claims more than its message is refused before memory is taken for it", () => {
  const lengths = fc.oneof(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.double());
  fc.assert(
    fc.property(lengths, fc.double(), (n, o) => {
      const json = JSON.stringify({ $: "array", t: "Float64Array", o, n });
      const message = new Uint8Array(4 + json.length + 64);
      new DataView(message.buffer).setUint32(0, json.length, true);
      message.set(new TextEncoder().encode(json), 4);
      try {
        assert.ok((decodeObject(message) as Float64Array).byteLength <= 64);
      } catch (error) {
        assert.match((error as Error).message, /cannot be read: /);
      }
    }),
    runs(3_000),
  );
});

Deno.test("fields of a message never reach past its end", () => {
  const fields = fc.array(fc.constantFrom("u8", "u32", "f64", "bytes", "optional", "text"), { maxLength: 6 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fields, (message, fields) => {
      const reader = new StoreReader(message);
      try {
        for (const field of fields) {
          const value = reader[field as "bytes"]();
          if (value instanceof Uint8Array) assert.ok(value.length <= message.length);
        }
        reader.end();
      } catch (error) {
        // A text that is no UTF-8 is a TypeError of the decoder.
        assert.ok(error instanceof RangeError || error instanceof TypeError, `${error}`);
      }
    }),
    runs(20_000),
  );
});

Deno.test("a checkpoint's header is whole or refused, and what it tells lies within the file", () => {
  const tensors = fc.uniqueArray(fc.tuple(fc.string({ minLength: 1 }), fc.uint8Array({ maxLength: 6 })), {
    selector: ([name]) => name,
    maxLength: 3,
  });
  const header = tensors.filter((all) => all.every(([name]) => name !== "__metadata__")).map((all) => {
    const named = all.map(([name, data]) => ({
      name,
      tensor: { dtype: "uint8" as const, shape: [data.length], data },
    }));
    return layOut({ any: 1 }, named).header.subarray(8);
  });
  const json = fc.json().map((text) => new TextEncoder().encode(text));
  fc.assert(
    fc.property(fc.oneof(damaged(header), json), fc.nat(20), (bytes, dataBytes) => {
      try {
        const { tensors } = parseHeader(bytes, dataBytes);
        for (const { begin, byteLength } of tensors) assert.ok(begin >= 0 && begin + byteLength <= dataBytes);
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof TypeError), `${(error as Error).stack}`);
      }
    }),
    runs(20_000),
  );
});
