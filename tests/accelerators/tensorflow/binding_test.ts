import assert from "node:assert/strict";
import type { TensorflowBinding } from "../../../runtime/accelerators/tensorflow/binding.ts";
import { AttributeType, DataType, type NumericArray } from "../../../runtime/accelerators/tensorflow/data_types.ts";
import type { ExecutedOp } from "../../../runtime/accelerators/tensorflow/op_observer.ts";
import { startTensorflow } from "../../../runtime/accelerators/tensorflow/start.ts";
import { tensorflowLibrary, tensorflowTest } from "./only_with_tensorflow.ts";

// Started here and not in a test: the library stays open until the process ends.
const binding: TensorflowBinding = tensorflowLibrary ? (await startTensorflow("cpu")).binding : undefined!;

/** A test that must leave as many tensors as it found. */
function balanced(name: string, run: () => void): void {
  tensorflowTest(name, () => {
    const before = binding.getNumOfTensors();
    run();
    assert.equal(binding.getNumOfTensors(), before, "tensors are left behind");
  });
}

const T = (value: number) => ({ name: "T", type: AttributeType.TYPE, value });
const FLOAT = T(DataType.FLOAT);

/** Runs an op of float32 tensors, and frees them. */
function compute(name: string, inputs: number[][], attributes = [FLOAT]): unknown {
  const ids = inputs.map((values) => binding.createTensor([values.length], DataType.FLOAT, new Float32Array(values)));
  const [output] = binding.executeOp(name, attributes, ids, 1);
  const values = binding.tensorDataSync(output.id);
  for (const id of [...ids, output.id]) binding.deleteTensor(id);
  return values;
}

const values: Record<string, [dataType: number, values: NumericArray, read?: unknown]> = {
  float32: [DataType.FLOAT, new Float32Array([1.5, -0, NaN, Infinity, 1e-45, 7])],
  float64: [DataType.DOUBLE, new Float64Array([1 / 3, -1e300, NaN, 4, 5, 6])],
  int32: [DataType.INT32, new Int32Array([0, -1, 2147483647, -2147483648, 5, 6])],
  bool: [DataType.BOOL, new Uint8Array([0, 1, 1, 0, 1, 0])],
  uint8: [DataType.UINT8, new Uint8Array([0, 1, 127, 128, 255, 6]), new Int32Array([0, 1, 127, 128, 255, 6])],
  int64: [DataType.INT64, new BigInt64Array([0n, -1n, 2n ** 62n, -(2n ** 63n), 5n, 6n])],
  "int64 in halves": [
    DataType.INT64,
    new Int32Array([5, 0, -1, -1, 0, 1, 1, 1, 2, 0, 3, 0]),
    new BigInt64Array([5n, -1n, 2n ** 32n, 2n ** 32n + 1n, 2n, 3n]),
  ],
  complex64: [DataType.COMPLEX64, new Float32Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])],
  "half precision, by its bits": [DataType.HALF, new Uint16Array([0x3c00, 0x0001, 0x7c00, 0x8000, 1, 2])],
  bfloat16: [DataType.BFLOAT16, new Uint16Array([0x3f80, 0x0001, 0x7f80, 0x8000, 1, 2])],
};
for (const [name, [dataType, given, read = given]] of Object.entries(values)) {
  balanced(`a tensor of ${name} comes back as it was given, itself and through an op`, () => {
    const id = binding.createTensor([2, 3], dataType, given);
    assert.deepEqual(binding.tensorDataSync(id), read);
    const [same] = binding.executeOp("Identity", [T(dataType)], [id], 1);
    assert.deepEqual([same.shape, same.dtype], [[2, 3], dataType]);
    binding.deleteTensor(id);
    assert.deepEqual(binding.tensorDataSync(same.id), read, "what an op shares outlives the tensor it came from");
    binding.deleteTensor(same.id);
  });
}

balanced("scalars and tensors without elements come back", () => {
  for (const [shape, length] of [[[], 1], [[0], 0], [[3, 0, 2], 0]] as const) {
    const id = binding.createTensor(shape, DataType.FLOAT, new Float32Array(length).fill(2.5));
    assert.deepEqual(binding.tensorDataSync(id), new Float32Array(length).fill(2.5));
    const [same] = binding.executeOp("Identity", [FLOAT], [id], 1);
    assert.deepEqual(same.shape, shape);
    for (const tensor of [id, same.id]) binding.deleteTensor(tensor);
  }
});

balanced("a tensor is made of the part of a buffer that its array shows, and holds a copy", () => {
  const whole = new Float32Array([1, 2, 3, 4, 5]);
  const id = binding.createTensor([2], DataType.FLOAT, whole.subarray(2, 4));
  whole.fill(0);
  assert.deepEqual(binding.tensorDataSync(id), new Float32Array([3, 4]));
  binding.deleteTensor(id);
});

balanced("strings of any length and of any bytes come back, also from an op that shares its input's memory", () => {
  const strings = ["", "a", "x".repeat(22), "y".repeat(23), "ü".repeat(5000), "a\0b"].map((text) =>
    new TextEncoder().encode(text)
  );
  strings.push(new Uint8Array([255, 0, 254, 128]), strings[3].subarray(2, 9));
  const id = binding.createTensor([8], DataType.STRING, strings);
  assert.deepEqual(binding.tensorDataSync(id), strings.map((bytes) => bytes.slice()));
  const shape = binding.createTensor([2], DataType.INT32, new Int32Array([2, 4]));
  const [reshaped] = binding.executeOp("Reshape", [T(DataType.STRING), { ...T(DataType.INT32), name: "Tshape" }], [
    id,
    shape,
  ], 1);
  binding.deleteTensor(id);
  binding.deleteTensor(shape);
  assert.deepEqual(binding.tensorDataSync(reshaped.id), strings.map((bytes) => bytes.slice()));
  binding.deleteTensor(reshaped.id);
});

balanced("freed tensors of strings give their memory back", () => {
  const strings = Array.from({ length: 16 }, () => new Uint8Array(1 << 20).fill(97));
  const once = () => binding.deleteTensor(binding.createTensor([16], DataType.STRING, strings));
  for (let i = 0; i < 3; i++) once();
  const before = Deno.memoryUsage().rss;
  for (let i = 0; i < 40; i++) once();
  const grown = (Deno.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grown < 200, `640 MiB of strings were made and freed, and ${grown.toFixed()} MiB are still there`);
});

balanced("an op lets go of its inputs when it has run", () => {
  const names = ["Neg", "Abs", "Square", "Sqrt", "Exp", "Sin", "Cos", "Tanh", "Floor", "Ceil", "Sign", "Log"];
  const run = (name: string) => {
    const id = binding.createTensor([1 << 23], DataType.FLOAT, data);
    const [output] = binding.executeOp(name, [FLOAT], [id], 1);
    binding.deleteTensor(id);
    binding.deleteTensor(output.id);
  };
  const data = new Float32Array(1 << 23);
  for (let i = 0; i < 2; i++) run("Neg");
  const before = Deno.memoryUsage().rss;
  for (const name of names) run(name);
  const grown = (Deno.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grown < 200, `${names.length} ops had an input of 32 MiB each, and ${grown.toFixed()} MiB are still there`);
});

balanced(
  "an op that fails names itself, tells TensorFlow's reason, leaves nothing behind and can be used again",
  () => {
    const two = binding.createTensor([1, 2], DataType.FLOAT, new Float32Array([1, 2]));
    const attributes = [
      FLOAT,
      ...["transpose_a", "transpose_b"].map((name) => ({
        name,
        type: AttributeType.BOOL,
        value: name.endsWith("b"),
      })),
    ];
    const plain = attributes.map((attribute) => ({ ...attribute, value: attribute === FLOAT ? 1 : false }));
    const before = binding.getNumOfTensors();
    assert.throws(() => binding.executeOp("MatMul", plain, [two, two], 1), (error: Error) => {
      assert.match(
        error.message,
        /^TensorFlow op MatMul: Matrix size-incompatible: In\[0\]: \[1,2\], In\[1\]: \[1,2\]/,
      );
      assert.equal(error.cause, "INVALID_ARGUMENT");
      return true;
    });
    assert.equal(binding.getNumOfTensors(), before);
    const [product] = binding.executeOp("MatMul", attributes, [two, two], 1);
    assert.deepEqual(binding.tensorDataSync(product.id), new Float32Array([5]));
    for (const id of [two, product.id]) binding.deleteTensor(id);
  },
);

balanced("an op, an attribute or a tensor that there is not is an error that names it", () => {
  assert.throws(() => binding.executeOp("NoSuchOp", [], [], 1), /op NoSuchOp.*neither a type of a primitive operation/);
  assert.throws(() => binding.executeOp("Neg", [FLOAT], [987654], 1), /tensor 987654 is not there/);
  assert.throws(() => binding.deleteTensor(987654), /tensor 987654 is not there: it was deleted before, or never made/);
  assert.throws(() => binding.tensorDataSync(987654), /tensor 987654 is not there/);
  const id = binding.createTensor([], DataType.FLOAT, new Float32Array([1]));
  assert.throws(() => binding.executeOp("Neg", [{ ...FLOAT, type: 99 }], [id], 1), /attribute T has the type 99/);
  assert.throws(
    () => binding.executeOp("Neg", [{ ...FLOAT, value: undefined! }], [id], 1),
    /T got undefined.*a number/,
  );
  assert.throws(() => binding.executeOp("Neg", [FLOAT], [id, id], 1), /op Neg/);
  binding.deleteTensor(id);
  assert.throws(() => binding.deleteTensor(id), /it was deleted before/);
});

balanced("values of another type or number than the tensor's are refused", () => {
  const { FLOAT, INT64, STRING } = DataType;
  assert.throws(() => binding.createTensor([2], FLOAT, new Int32Array(2)), {
    name: "TypeError",
    message: "a tensor of float32 cannot be made of Int32Array; give Float32Array",
  });
  assert.throws(() => binding.createTensor([2], INT64, new Uint8Array(2)), /give BigInt64Array or Int32Array/);
  assert.throws(() => binding.createTensor([2, 2], FLOAT, new Float32Array(3)), {
    name: "RangeError",
    message: "a tensor of float32 of shape [2,2] has 16 bytes, but the 3 values given have 12",
  });
  assert.throws(() => binding.createTensor([1], FLOAT, null!), /cannot be made of null/);
  assert.throws(() => binding.createTensor([1], 77, new Float32Array(1)), /data type 77/);
  assert.throws(() => binding.createTensor([1], STRING, ["a"] as never), /an array of Uint8Array/);
  assert.throws(() => binding.createTensor([3], STRING, [new Uint8Array(1)]), /has 3 elements, but 1 are given/);
});

balanced("attributes may be lists, strings, shapes and fractions given for integers", () => {
  const boundaries = [{ name: "boundaries", type: AttributeType.FLOAT, value: [1, 2.5] }, FLOAT];
  assert.deepEqual(compute("Bucketize", [[0, 2, 3]], boundaries as never), new Int32Array([0, 1, 2]));
  const squeeze = [{ name: "squeeze_dims", type: AttributeType.INT, value: [0] }, FLOAT];
  assert.deepEqual(compute("Squeeze", [[4]], squeeze as never), new Float32Array([4]));
  const shape = { name: "shape", type: AttributeType.SHAPE, value: [2, 3] };
  const name = { name: "shared_name", type: AttributeType.STRING, value: "a variable" };
  const [variable] = binding.executeOp("VarHandleOp", [{ ...FLOAT, name: "dtype" }, shape, name], [], 1);
  assert.equal(variable.dtype, DataType.RESOURCE);
  const bytes = binding.tensorDataSync(variable.id);
  assert.ok(new TextDecoder().decode(bytes as Uint8Array<ArrayBuffer>).includes("a variable"));
  binding.executeOp("DestroyResourceOp", [], [variable.id], 0);
  binding.deleteTensor(variable.id);
  const size = binding.createTensor([1], DataType.INT32, new Int32Array([3]));
  const seeded = [3.14, 2.9].map((value, i) => ({ name: i ? "seed2" : "seed", type: AttributeType.INT, value }));
  const types = [{ ...T(DataType.INT32) }, { ...FLOAT, name: "dtype" }];
  const random = () => {
    const [tensor] = binding.executeOp("RandomUniform", [...types, ...seeded], [size], 1);
    const drawn = binding.tensorDataSync(tensor.id);
    binding.deleteTensor(tensor.id);
    return drawn;
  };
  assert.equal(random().length, 3);
  binding.deleteTensor(size);
});

balanced("an op may have several outputs, more than one of any before, or none", () => {
  const axis = binding.createTensor([], DataType.INT32, new Int32Array([0]));
  const id = binding.createTensor([40], DataType.FLOAT, Float32Array.from({ length: 40 }, (_, i) => i));
  const attributes = [{ name: "num_split", type: AttributeType.INT, value: 40 }, FLOAT];
  const outputs = binding.executeOp("Split", attributes, [axis, id], 40);
  assert.deepEqual(outputs.map(({ id }) => binding.tensorDataSync(id)[0]), Array.from({ length: 40 }, (_, i) => i));
  for (const tensor of [axis, id, ...outputs.map(({ id }) => id)]) binding.deleteTensor(tensor);
  assert.deepEqual(binding.executeOp("NoOp", [], [], 0), []);
});

balanced("rounding integers changes nothing", () => {
  const id = binding.createTensor([3], DataType.INT32, new Int32Array([-12345678, 10, 7]));
  const [output] = binding.executeOp("Round", [T(DataType.INT32)], [id], 1);
  assert.deepEqual(binding.tensorDataSync(output.id), new Int32Array([-12345678, 10, 7]));
  for (const tensor of [id, output.id]) binding.deleteTensor(tensor);
  assert.deepEqual(compute("Round", [[0.5, 1.5, -2.7]]), new Float32Array([0, 2, -3]));
});

balanced("an observer sees tensors made, ops run and values read, and may keep what would be freed", () => {
  const seen: string[] = [], kept: number[] = [];
  let op: ExecutedOp | undefined;
  binding.observer = {
    created: (id) => void seen.push(`created ${id}`),
    executed: (executed) => void seen.push(`executed ${(op = executed).name}`),
    reading: (id) => void seen.push(`reading ${id}`),
    deleting: (id) => (kept.push(id), true),
  };
  const id = binding.createTensor([2], DataType.FLOAT, new Float32Array([1, 2]));
  const [output] = binding.executeOp("Neg", [FLOAT], [id], 1);
  binding.tensorDataSync(output.id);
  for (const tensor of [id, output.id]) binding.deleteTensor(tensor);
  binding.observer = undefined;
  assert.deepEqual(seen, [`created ${id}`, "executed Neg", `reading ${output.id}`]);
  assert.deepEqual(op, { name: "Neg", attributes: [FLOAT], inputs: [id], outputs: [output] });
  assert.deepEqual(kept, [id, output.id]);
  assert.deepEqual(binding.tensorDataSync(id), new Float32Array([1, 2]), "kept means not freed");
  for (const tensor of kept) binding.deleteTensor(tensor);
});

balanced("a tensor can be given another handle, which it then owns", () => {
  const id = binding.createTensor([2], DataType.FLOAT, new Float32Array([1, 2]));
  const [handle] = binding.execute("Neg", { attributes: [FLOAT], inputs: [binding.handleOf(id)], numOutputs: 1 });
  binding.replaceHandle(id, handle);
  assert.deepEqual(binding.tensorDataSync(id), new Float32Array([-1, -2]));
  const [another] = binding.execute("Neg", { attributes: [FLOAT], inputs: [binding.handleOf(id)], numOutputs: 1 });
  const adopted = binding.adoptHandle(another);
  assert.deepEqual(adopted.shape, [2]);
  for (const tensor of [id, adopted.id]) binding.deleteTensor(tensor);
});

/** The end of a chain of products that takes TensorFlow a while, and what its elements are. */
function chainLater(length: number): { id: number; expected: number } {
  const size = 256;
  let id = binding.createTensor([size, size], DataType.FLOAT, new Float32Array(size * size).fill(1 / size));
  for (let i = 0; i < length; i++) {
    const [handle] = binding.executeLater("MatMul", {
      attributes: [FLOAT],
      inputs: [binding.handleOf(id), binding.handleOf(id)],
      numOutputs: 1,
    });
    const next = binding.adoptHandle(handle, [size, size]).id;
    binding.deleteTensor(id);
    id = next;
  }
  return { id, expected: 1 / size };
}

balanced(
  "what is executed later goes on while the program does, in order, and whoever reads a value waits for it",
  () => {
    const { id, expected } = chainLater(40);
    assert.ok(Math.abs((binding.tensorDataSync(id) as Float32Array)[0] / expected - 1) < 1e-4);
    const before = chainLater(40);
    // An op that is executed at once takes values that are not there yet.
    const [sum] = binding.executeOp("AddV2", [FLOAT], [before.id, id], 1);
    assert.equal((binding.tensorDataSync(sum.id) as Float32Array)[0], 2 * expected);
    for (const tensor of [id, before.id, sum.id]) binding.deleteTensor(tensor);
  },
);

balanced(
  "an op that fails later throws its error where its output is read, and at a call soon after; then calls are taken again",
  () => {
    const x = binding.createTensor([3], DataType.FLOAT, new Float32Array(3));
    const index = binding.createTensor([1], DataType.INT32, new Int32Array([7]));
    const axis = binding.createTensor([], DataType.INT32, new Int32Array([0]));
    const gather = () =>
      binding.executeLater("GatherV2", {
        attributes: [
          { name: "Tparams", type: AttributeType.TYPE, value: DataType.FLOAT },
          { name: "Tindices", type: AttributeType.TYPE, value: DataType.INT32 },
          { name: "Taxis", type: AttributeType.TYPE, value: DataType.INT32 },
        ],
        inputs: [x, index, axis].map((id) => binding.handleOf(id)),
        numOutputs: 1,
      })[0];
    const { id } = binding.adoptHandle(gather(), [1]);
    const outOfRange = /indices\[0\] = 7 is not in \[0, 3\)/;
    assert.throws(() => binding.tensorDataSync(id), outOfRange);
    // TensorFlow's thread notes the error for the next calls when it has told who reads, so that a call may come before.
    const end = performance.now() + 10_000;
    const copy = () =>
      binding.executeLater("Identity", { attributes: [FLOAT], inputs: [binding.handleOf(x)], numOutputs: 1 });
    assert.throws(() => {
      while (performance.now() < end) binding.deleteTensor(binding.adoptHandle(copy()[0], [3]).id);
    }, outOfRange);
    const chain = chainLater(2);
    assert.equal((binding.tensorDataSync(chain.id) as Float32Array)[0], chain.expected);
    for (const tensor of [x, index, axis, id, chain.id]) binding.deleteTensor(tensor);
  },
);

tensorflowTest(
  "a binding that is disposed of frees its tensors and its context, and another one works after it",
  async () => {
    const { binding: other } = await startTensorflow("cpu");
    other.createTensor([2], DataType.FLOAT, new Float32Array(2));
    other.executeOp("NoOp", [], [], 0);
    other[Symbol.dispose]();
    assert.equal(other.getNumOfTensors(), 0);
    assert.deepEqual(compute("Neg", [[1]]), new Float32Array([-1]));
  },
);

tensorflowTest("a SavedModel runs by signature, on strings and int64 too, and is freed", () => {
  const before = binding.getNumOfTensors();
  const folder = decodeURIComponent(new URL("../../fixtures/tensorflow/saved_model", import.meta.url).pathname);
  const model = binding.loadSavedModel(folder, "serve");
  assert.equal(binding.getNumOfSavedModels(), 1);
  const x = binding.createTensor([2, 3], DataType.FLOAT, new Float32Array([1, 2, 3, 0, 0, 1]));
  const [y] = binding.runSavedModel(model, [x], "serving_default_x:0", "StatefulPartitionedCall:0");
  assert.deepEqual([y.shape, y.dtype], [[2, 2], DataType.FLOAT]);
  assert.deepEqual(binding.tensorDataSync(y.id), new Float32Array([22.5, 27.5, 5.5, 5.5]));
  assert.throws(
    () => binding.runSavedModel(model, [], "serving_default_x:0", "StatefulPartitionedCall:0"),
    RangeError,
  );
  assert.throws(
    () => binding.runSavedModel(model, [x], "nothing:0", "StatefulPartitionedCall:0"),
    /no operation nothing/,
  );
  const wrong = binding.createTensor([1, 2], DataType.FLOAT, new Float32Array(2));
  assert.throws(
    () => binding.runSavedModel(model, [wrong], "serving_default_x:0", "StatefulPartitionedCall:0"),
    /session failed to run/,
  );
  const name = binding.createTensor([1], DataType.STRING, [new TextEncoder().encode("Ada")]);
  const times = binding.createTensor([], DataType.INT64, new BigInt64Array([21n]));
  const [greeting, twice] = binding.runSavedModel(
    model,
    [name, times],
    "greet_name:0,greet_times:0",
    "PartitionedCall:0,PartitionedCall:1",
  );
  assert.deepEqual(binding.tensorDataSync(greeting.id), [new TextEncoder().encode("hello Ada")]);
  assert.deepEqual(binding.tensorDataSync(twice.id), new BigInt64Array([42n]));
  for (const id of [x, y.id, wrong, name, times, greeting.id, twice.id]) binding.deleteTensor(id);
  binding.deleteSavedModel(model);
  assert.equal(binding.getNumOfSavedModels(), 0);
  assert.throws(() => binding.deleteSavedModel(model), /SavedModel ID not found/);
  assert.throws(
    () => binding.loadSavedModel("/no/such/folder", "serve"),
    /failed to load SavedModel.*no\/such\/folder/s,
  );
  assert.throws(() => binding.loadSavedModel(folder, "other"), /failed to load SavedModel/);
  assert.equal(binding.getNumOfTensors(), before);
});
