import assert from "node:assert/strict";
import { wasm } from "../../../runtime/accelerators/wasm.ts";
import { tf } from "../../../runtime/tensor/tf.ts";
import { assertClose, numbers, onBoth, valuesOn } from "../on_both.ts";

const SHAPES: [number[], number[]][] = [
  [[3, 4], [4, 5]],
  [[1, 4], [4, 1]],
  [[2, 3, 4], [4, 5]],
  [[2, 3, 4], [2, 4, 5]],
  [[3, 4], [2, 4, 5]],
  [[2, 1, 3, 4], [1, 3, 4, 5]],
  [[5, 2, 3, 4], [2, 4, 5]],
  [[2, 3, 2, 4], [3, 4, 2]],
  [[0, 4], [4, 5]],
  [[2, 0], [0, 3]],
  [[2, 3, 0], [2, 0, 2]],
];

const turn = (shape: number[], turned: boolean) =>
  turned ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;

/** Written out: one sum for each element of the broadcast result. */
function reference(a: tf.Tensor, b: tf.Tensor, turnA: boolean, turnB: boolean) {
  const left = turnA ? swapped(a) : a, right = turnB ? swapped(b) : b;
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(left.shape.slice(0, -2), right.shape.slice(0, -2));
  const [rows, inner] = left.shape.slice(-2), columns = right.shape.at(-1)!;
  const leftBuffer = left.broadcastTo([...batch, rows, inner]).reshape([-1, rows, inner]).arraySync() as number[][][];
  const rightBuffer = right.broadcastTo([...batch, inner, columns]).reshape([-1, inner, columns])
    .arraySync() as number[][][];
  const values: number[] = [];
  for (const [i, matrix] of leftBuffer.entries()) {
    for (const row of matrix) {
      for (let column = 0; column < columns; column++) {
        values.push(row.reduce((sum, value, k) => sum + value * rightBuffer[i][k][column], 0));
      }
    }
  }
  return { shape: [...batch, rows, columns], values };
}

function swapped(tensor: tf.Tensor) {
  const rank = tensor.rank;
  return tensor.transpose([...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

for (const dtype of ["float32", "int32"] as const) {
  Deno.test(`the ${dtype} product of any batch shape, transposed or not, is what the definition gives`, async () => {
    await wasm.load({});
    for (const [shapeA, shapeB] of SHAPES) {
      for (const [turnA, turnB] of [[false, false], [true, false], [false, true], [true, true]]) {
        const operands = () => [
          numbers(turn(shapeA, turnA)).mul(8).cast(dtype),
          numbers(turn(shapeB, turnB), 2).mul(8).cast(dtype),
        ];
        const [actual] = await valuesOn("wasm", () => {
          const [a, b] = operands();
          return tf.matMul(a, b, turnA, turnB);
        });
        if (tf.util.sizeFromShape(actual.shape) === 0) {
          assert.equal(actual.values.length, 0);
          continue;
        }
        const expected = shapeA.at(-1) === 0
          ? { shape: actual.shape, values: Array(tf.util.sizeFromShape(actual.shape)).fill(0) }
          : tf.tidy(() => {
            const [a, b] = operands();
            return reference(a, b, turnA, turnB);
          });
        assert.deepEqual(actual.shape, expected.shape);
        assert.equal(actual.dtype, dtype);
        assertClose(actual.values, expected.values, dtype === "int32" ? 0 : 1e-4);
      }
    }
  });
}

Deno.test("matMul's gradients of both operands are those of plain JavaScript", async () => {
  for (const [turnA, turnB] of [[false, false], [true, false], [false, true], [true, true]]) {
    await onBoth(() => {
      const gradients = tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b, turnA, turnB).square().sum());
      return gradients([numbers(turn([2, 3, 4], turnA)), numbers(turn([2, 4, 5], turnB), 2)]);
    });
  }
});

Deno.test("matMul refuses inner sizes that differ and leaves nothing behind", async () => {
  await wasm.load({});
  await valuesOn("wasm", () => {
    assert.throws(() => tf.matMul(tf.ones([2, 3]), tf.ones([4, 2])), /inner/);
    return [];
  });
});

Deno.test("a product with bias and each activation fused in equals the one of plain JavaScript", async () => {
  for (const activation of ["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu"] as const) {
    for (const [shapeA, shapeB] of [[[3, 4], [4, 5]], [[2, 3, 4], [2, 4, 5]]]) {
      for (const transposeA of [false, true]) {
        await onBoth(() =>
          tf.fused.matMul({
            a: numbers(turn(shapeA, transposeA)) as tf.Tensor2D,
            b: numbers(shapeB, 2) as tf.Tensor2D,
            transposeA,
            bias: numbers([5], 3),
            activation,
            preluActivationWeights: activation === "prelu" ? numbers([5], 4) : undefined,
            leakyreluAlpha: 0.3,
          })
        );
      }
    }
  }
});

Deno.test("a bias that is a matrix can be fused, too", async () => {
  await onBoth(() =>
    tf.fused.matMul({
      a: numbers([3, 4]) as tf.Tensor2D,
      b: numbers([4, 5], 2) as tf.Tensor2D,
      bias: numbers([3, 5], 3),
    })
  );
});

Deno.test("weights that are assigned between products are seen by the next product", async () => {
  await wasm.load({});
  await tf.setBackend("wasm");
  const weights = tf.variable(tf.ones([2, 2])), x = tf.ones([1, 2]);
  const product = () => tf.tidy(() => [...x.matMul(weights).dataSync()]);
  assert.deepEqual(product(), [2, 2]);
  weights.assign(tf.tidy(() => tf.ones([2, 2]).mul(3)));
  assert.deepEqual(product(), [6, 6]);
  tf.dispose([weights, x]);
});
