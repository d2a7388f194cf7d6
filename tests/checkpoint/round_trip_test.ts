import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readCheckpoint } from "../../runtime/checkpoint/read_checkpoint.ts";
import { readCheckpointHeader } from "../../runtime/checkpoint/read_checkpoint_header.ts";
import { writeCheckpoint } from "../../runtime/checkpoint/write_checkpoint.ts";
import type { StateDict } from "../../runtime/tensor/state.ts";
import { inTemporaryFolder, namesIn } from "../temporary_folder.ts";

const everyDtype = {
  float64: { dtype: "float64", shape: [2], data: Float64Array.of(Math.PI, -0) },
  int64: { dtype: "int64", shape: [2], data: BigInt64Array.of(2n ** 62n, -1n) },
  float32: { dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, NaN, -Infinity, -0) },
  int32: { dtype: "int32", shape: [1, 1], data: Int32Array.of(-(2 ** 31)) },
  float16: { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0xfc00) },
  bfloat16: { dtype: "bfloat16", shape: [1], data: Uint16Array.of(0x3f80) },
  int16: { dtype: "int16", shape: [2], data: Int16Array.of(-1, 300) },
  uint16: { dtype: "uint16", shape: [1], data: Uint16Array.of(65535) },
  int8: { dtype: "int8", shape: [3], data: Int8Array.of(-128, 0, 127) },
  uint8: { dtype: "uint8", shape: [3], data: Uint8Array.of(0, 128, 255) },
  bool: { dtype: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
} as const;

async function roundTrip(state: StateDict): Promise<StateDict> {
  let read: StateDict = {};
  await inTemporaryFolder(async (folder) => {
    await writeCheckpoint(`${folder}/a.ckpt`, state);
    assert.deepEqual(await namesIn(folder), ["a.ckpt"]);
    read = await readCheckpoint(`${folder}/a.ckpt`);
  });
  return read;
}

Deno.test("tensors of every type come back with the same bits", async () => {
  assert.deepEqual(await roundTrip({ model: { ...everyDtype } }), { model: { ...everyDtype } });
});

Deno.test("scalars, empty tensors and views into larger buffers come back", async () => {
  const large = new Float32Array(100).map((_, i) => i);
  const state: StateDict = {
    scalar: { dtype: "float32", shape: [], data: Float32Array.of(7) },
    empty: { dtype: "int32", shape: [0, 5], data: new Int32Array(0) },
    view: { dtype: "float32", shape: [3], data: large.subarray(10, 13) },
  };
  assert.deepEqual(await roundTrip(state), {
    ...state,
    view: { dtype: "float32", shape: [3], data: Float32Array.of(10, 11, 12) },
  });
});

Deno.test("numbers that JSON does not know, big integers and undefined survive", async () => {
  const state = {
    numbers: [NaN, Infinity, -Infinity, -0, 0, 1e-320, 0.1 + 0.2, 2 ** 53],
    big: -(2n ** 100n),
    nothing: undefined,
    list: [null, true, "", [], {}],
    text: 'ünïcode \u0000 \ud800 \u2028 "quoted" 漢',
  };
  const read = await roundTrip(state);
  assert.deepEqual(read, state);
  assert.ok("nothing" in read);
  assert.ok(Object.is((read.numbers as number[])[3], -0));
});

Deno.test("keys that collide with our own marks or with an object's prototype stay ordinary keys", async () => {
  const tensor = everyDtype.float32;
  const state = JSON.parse(`{
    "__proto__": { "polluted": true }, "constructor": 1, "toString": "x", "$tensor": "a", "$$": { "$number": "NaN" },
    "nested": { "$undefined": true, "other": 2 }, "one": { "__proto__": 5 }
  }`);
  state.__metadata__ = tensor;
  state["a.b"] = tensor;
  state.a = { b: everyDtype.int8 };
  Object.defineProperty(state.nested, "__proto__", { value: tensor, enumerable: true });
  const read = await roundTrip(state);
  assert.deepEqual(Object.keys(read).sort(), Object.keys(state).sort());
  for (const key of Object.keys(state)) assert.deepEqual(read[key], state[key], key);
  assert.deepEqual(Object.getOwnPropertyDescriptor(read.nested, "__proto__")?.value, tensor);
  assert.equal(Object.getPrototypeOf(read), Object.prototype);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

Deno.test("a tensor of many chunks comes back, also when it is written again over the old file", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = `${folder}/deep/er/large.ckpt`;
    const data = new Float32Array(3_000_001).map((_, i) => Math.sin(i));
    await writeCheckpoint(path, { w: { dtype: "float32", shape: [1], data: Float32Array.of(1) } });
    await writeCheckpoint(path, { w: { dtype: "float32", shape: [3_000_001], data } });
    const { w } = await readCheckpoint(path) as unknown as { w: { data: Float32Array } };
    assert.ok(Buffer.from(w.data.buffer).equals(Buffer.from(data.buffer)));
    assert.deepEqual(await namesIn(`${folder}/deep/er`), ["large.ckpt"]);
  });
});

Deno.test("the header alone tells names, types, shapes and the state that is not tensors", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = `${folder}/a.ckpt`;
    await writeCheckpoint(path, { model: { w: everyDtype.float32, b: everyDtype.int8 }, epoch: 3 });
    const header = await readCheckpointHeader(path);
    assert.equal(header.format, 1);
    assert.equal(header.state.epoch, 3);
    assert.deepEqual(header.tensors, [
      { name: "model.w", dtype: "float32", shape: [2, 3], begin: 0, byteLength: 24 },
      { name: "model.b", dtype: "int8", shape: [3], begin: 24, byteLength: 3 },
    ]);
    assert.deepEqual(header.state.model, { w: header.tensors[0], b: header.tensors[1] });
  });
});

Deno.test("the same state gives the same file", async () => {
  await inTemporaryFolder(async (folder) => {
    for (const name of ["a", "b"]) await writeCheckpoint(`${folder}/${name}`, { m: { ...everyDtype }, step: 1 });
    assert.deepEqual(await Deno.readFile(`${folder}/a`), await Deno.readFile(`${folder}/b`));
  });
});
