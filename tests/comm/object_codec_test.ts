import assert from "node:assert/strict";
import { decodeObject, encodeObject } from "../../runtime/comm/object_codec.ts";

Deno.test("every value that may be sent comes back equal", () => {
  const values = [
    undefined,
    null,
    true,
    0,
    -0,
    NaN,
    Infinity,
    -Infinity,
    "",
    "\u0000ä😀",
    2n ** 70n,
    [],
    {},
    [undefined, [[]]],
    { $: "array", t: "Float32Array", o: 0, n: 9 },
    { $: { $: undefined } },
    new Date(0),
    new Map<unknown, unknown>([[1, { a: NaN }]]),
    new Set([1, "a"]),
    new Float32Array([1.5, NaN]),
    new Float64Array(0),
    new Int8Array([-1]),
    new BigInt64Array([-5n]),
    new Uint16Array([1, 2, 3]),
    { a: new Uint8Array([1, 2, 3]), b: [new Float64Array([Math.PI])], c: new Uint8ClampedArray([300]) },
    new Float32Array([1, 2, 3, 4]).subarray(1, 3),
  ];
  for (const value of values) assert.deepEqual(decodeObject(encodeObject(value)), value);
});

Deno.test("a key named __proto__ stays a key", () => {
  const value = JSON.parse('{"__proto__": {"polluted": true}}');
  const back = decodeObject(encodeObject(value)) as object;
  assert.ok(Object.hasOwn(back, "__proto__"));
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

Deno.test("what cannot be sent is named by its place", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  assert.throws(() => encodeObject({ list: [1, { f() {} }] }), {
    name: "TypeError",
    message: /value\.list\[1\]\.f is a function/,
  });
  assert.throws(() => encodeObject({ a: Symbol("s") }), { name: "TypeError", message: /value\.a is a symbol/ });
  assert.throws(() => encodeObject({ e: new Error("x") }), {
    name: "TypeError",
    message: /value\.e is an instance of Error/,
  });
  assert.throws(() => encodeObject(cycle), { name: "TypeError", message: /contains itself/ });
});

Deno.test("damaged bytes are an error, whatever is damaged", () => {
  const good = encodeObject({ a: new Float32Array(4), b: "text" });
  for (let length = 0; length < good.length; length++) {
    assert.throws(() => decodeObject(good.subarray(0, length)), /cannot be read/, `${length} of ${good.length} bytes`);
  }
  for (
    const json of [
      '{"$":"array","t":"Float32Array","o":0,"n":1e9}',
      '{"$":"array","t":"Function","o":0,"n":1}',
      '{"$":"run"}',
    ]
  ) {
    const message = new Uint8Array(4 + json.length);
    message.set(new TextEncoder().encode(json), 4);
    new DataView(message.buffer).setUint32(0, json.length, true);
    assert.throws(() => decodeObject(message), /cannot be read/);
  }
});
