import assert from "node:assert/strict";
import { flattenState, unflattenState } from "../../runtime/tensor/flat_state.ts";
import { withScope } from "../../runtime/tensor/scope.ts";
import { mapTensors, tensorsIn } from "../../runtime/tensor/tree.ts";
import { tf } from "../../runtime/tensor/tf.ts";
import { onEachBackend } from "./on_each_backend.ts";

onEachBackend("mapTensors reaches arrays and records, and leaves other objects alone", () => {
  withScope(() => {
    const date = new Date(), bytes = new Uint8Array(2), x = tf.ones([1]);
    const batch = { x, rest: [x, { deep: x }], date, bytes, n: 3, none: null };
    const mapped = mapTensors(batch, (tensor) => tensor.mul(3));
    assert.deepEqual(tensorsIn(mapped).map((tensor) => tensor.dataSync()[0]), [3, 3, 3]);
    assert.deepEqual([mapped.date, mapped.bytes, mapped.n, mapped.none], [date, bytes, 3, null]);
    assert.equal(batch.x, x);
    assert.equal(mapTensors(x, () => 5), 5);
  });
});

onEachBackend("a state tree is flattened to dotted names and back", () => {
  withScope(() => {
    const x = tf.ones([1]);
    const host = { dtype: "float32", shape: [1], data: new Float32Array(1) } as const;
    const tree = { model: { "net.0.kernel": x, bias: host }, step: 3, name: null, gone: undefined };
    const flat = flattenState(tree);
    assert.deepEqual([...flat], [["model.net.0.kernel", x], ["model.bias", host], ["step", 3], ["name", null]]);
    assert.deepEqual(unflattenState(flat), {
      model: { net: { 0: { kernel: x } }, bias: host },
      step: 3,
      name: null,
    });
    assert.deepEqual([...flattenState({ list: [1, [2]] }).keys()], ["list.0", "list.1.0"]);
  });
});

Deno.test("names that collide or lie below a value are refused, and a prototype cannot be reached", () => {
  assert.throws(() => flattenState({ "a.b": 1, a: { b: 2 } }), /Two values of the state are named `a\.b`/);
  assert.throws(() => unflattenState([["a", 1], ["a.b", 2]]), /`a\.b` cannot lie below `a`/);
  unflattenState([["__proto__.polluted", 1]]);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});
