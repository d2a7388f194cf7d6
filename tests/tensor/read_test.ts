import assert from "node:assert/strict";
import type { HostTensor } from "../../runtime/tensor/host_tensor.ts";
import { fromHost, snapshot, toHost } from "../../runtime/tensor/read.ts";
import { withScope } from "../../runtime/tensor/scope.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { onEachBackend } from "./on_each_backend.ts";

onEachBackend("a snapshot holds the values of the moment it was asked for", async () => {
  const v = tf.tidy(() => tf.variable(tf.tensor2d([[1, 2], [3, 4]]))),
    ids = tf.tensor1d([7], "int32"),
    mask = tf.tensor1d([true, false], "bool");
  const reading = snapshot({ model: { v, ids }, list: [mask, 3, null, "text"], absent: undefined });
  tf.tidy(() => v.assign(tf.zeros([2, 2])));
  const copy = await reading;
  assert.deepEqual(copy, {
    model: {
      v: { dtype: "float32", shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) },
      ids: { dtype: "int32", shape: [1], data: new Int32Array([7]) },
    },
    list: [{ dtype: "bool", shape: [2], data: new Uint8Array([1, 0]) }, 3, null, "text"],
  });
  const back = fromHost((copy as { model: { v: HostTensor } }).model.v);
  assert.deepEqual(back.arraySync(), [[1, 2], [3, 4]]);
  tf.dispose([v, ids, mask, back]);
});

onEachBackend("every host dtype becomes a tensor that tfjs can compute with", () => {
  const cases: [HostTensor, string, number[]][] = [
    [{ dtype: "float64", shape: [2], data: new Float64Array([0.5, -2]) }, "float32", [0.5, -2]],
    [{ dtype: "float16", shape: [3], data: new Uint16Array([0x3c00, 0xc000, 0x3555]) }, "float32", [
      1,
      -2,
      0.333251953125,
    ]],
    [{ dtype: "bfloat16", shape: [2], data: new Uint16Array([0x3f80, 0xc040]) }, "float32", [1, -3]],
    [{ dtype: "int64", shape: [2], data: new BigInt64Array([-5n, 7n]) }, "int32", [-5, 7]],
    [{ dtype: "int16", shape: [1], data: new Int16Array([-5]) }, "int32", [-5]],
    [{ dtype: "uint8", shape: [1], data: new Uint8Array([255]) }, "int32", [255]],
    [{ dtype: "bool", shape: [2], data: new Uint8Array([1, 0]) }, "bool", [1, 0]],
  ];
  withScope(() => {
    for (const [host, dtype, values] of cases) {
      const tensor = fromHost(host);
      assert.equal(tensor.dtype, dtype);
      assert.deepEqual([...tensor.dataSync()], values, host.dtype);
    }
  });
});

onEachBackend("the tensor does not share the host's array unless asked to", async () => {
  const data = new Float32Array([1, 2]);
  const tensor = fromHost({ dtype: "float32", shape: [2], data });
  data[0] = 99;
  assert.deepEqual([...tensor.dataSync()], [1, 2]);
  const host = await toHost(tensor);
  host.data[0] = 50;
  assert.deepEqual([...tensor.dataSync()], [1, 2]);
  tensor.dispose();
});

onEachBackend("what does not fit is refused", async () => {
  assert.throws(
    () => fromHost({ dtype: "float32", shape: [3], data: new Float32Array(2) }),
    /shape \[3\] has 3 values, but got 2/,
  );
  assert.throws(
    () => fromHost({ dtype: "int64", shape: [1], data: new BigInt64Array([2n ** 40n]) }),
    /1099511627776 does not fit/,
  );
  assert.throws(
    () => fromHost({ dtype: "int4" as "int8", shape: [1], data: new Int8Array(1) }),
    /Unknown dtype "int4"/,
  );
  const text = tf.tensor1d(["a"]);
  await assert.rejects(toHost(text), /dtype string cannot be read/);
  text.dispose();
});
