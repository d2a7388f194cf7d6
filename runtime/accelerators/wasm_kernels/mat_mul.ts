import { tf } from "../../tensor/tf.ts";
import {
  floats,
  idOf,
  integers,
  type Kernel,
  release,
  sizeOf,
  type TensorInfo,
  type WasmBackend,
} from "../wasm_backend.ts";
import { runKernel } from "./registry.ts";

/**
 * Matrix product for any batch rank, with broadcast. tfjs's compiled code has a fast path (XNNPACK) that takes only one pair of
 * matrices, not transposed; everything else is a plain triple loop, up to 30 times slower. Here operands are transposed first, the
 * batch of `a` becomes rows where `b` has none, and what is left goes through the fast path matrix by matrix.
 */
export const matMul: Kernel = ({ inputs, backend, attrs }) => {
  for (const name of ["a", "b"]) {
    const { shape } = inputs[name] as TensorInfo;
    if (shape.length < 2) {
      throw new RangeError(`matMul: ${name} has shape [${shape}], and a matrix or a batch of them is expected`);
    }
  }
  const temporaries: TensorInfo[] = [];
  const a = turned(inputs.a as TensorInfo, attrs.transposeA, backend, temporaries);
  const b = turned(inputs.b as TensorInfo, attrs.transposeB, backend, temporaries);
  const [rows, inner] = a.shape.slice(-2), [innerB, columns] = b.shape.slice(-2);
  if (inner !== innerB) {
    release(backend, ...temporaries);
    throw new RangeError(
      `matMul: the inner sizes ${inner} and ${innerB} differ, for shapes [${(inputs.a as TensorInfo).shape}] and ` +
        `[${(inputs.b as TensorInfo).shape}], transposeA=${!!attrs.transposeA}, transposeB=${!!attrs.transposeB}`,
    );
  }
  const batchA = a.shape.slice(0, -2), batchB = b.shape.slice(0, -2);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  const out = backend.makeOutput([...batch, rows, columns], a.dtype);
  const size = sizeOf(out.shape), float = a.dtype === "float32" && b.dtype === "float32";
  if (size > 0 && inner === 0) {
    (float ? floats(backend, out) : integers(backend, out)).fill(0);
  } else if (size > 0 && float && sizeOf(batchB) === 1) {
    multiply(backend, idOf(backend, a), idOf(backend, b), idOf(backend, out), [sizeOf(batchA) * rows, inner, columns]);
  } else if (size > 0) {
    const offsetsA = offsets(batchA, batch, rows * inner), offsetsB = offsets(batchB, batch, inner * columns);
    for (let i = 0; i < offsetsA.length; i++) {
      const sizes: Sizes = [rows, inner, columns], offsetOut = i * rows * columns;
      if (float) {
        using viewA = view(backend, a, offsetsA[i], rows * inner);
        using viewB = view(backend, b, offsetsB[i], inner * columns);
        using viewOut = view(backend, out, offsetOut, rows * columns);
        multiply(backend, viewA.id, viewB.id, viewOut.id, sizes);
      } else {
        const [valuesA, valuesB, values] = [a, b, out].map((tensor) => integers(backend, tensor));
        multiplyIntegers(
          valuesA.subarray(offsetsA[i]),
          valuesB.subarray(offsetsB[i]),
          values.subarray(offsetOut),
          sizes,
        );
      }
    }
  }
  release(backend, ...temporaries);
  return out;
};

/** Rows of the left matrix, columns of it, columns of the right one. */
export type Sizes = [rows: number, inner: number, columns: number];

/** Integer products, exact while they stay below 2^53; there is no compiled code for them. */
function multiplyIntegers(a: Int32Array, b: Int32Array, out: Int32Array, [rows, inner, columns]: Sizes): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let i = 0; i < inner; i++) sum += a[row * inner + i] * b[i * columns + column];
      out[row * columns + column] = sum;
    }
  }
}

/** `out = a b` by the fast path, for float matrices known by their ids. */
export function multiply(
  backend: WasmBackend,
  a: number,
  b: number,
  out: number,
  [rows, inner, columns]: Sizes,
): void {
  const shapes = backend.wasm._malloc(24) >>> 0;
  new Int32Array(backend.wasm.HEAPU8.buffer, shapes, 6).set([1, rows, inner, 1, inner, columns]);
  backend.wasm._BatchMatMul(a, shapes, 3, b, shapes + 12, 3, 0, 0, out);
  backend.wasm._free(shapes);
}

/** A part of a tensor under an id of its own, for compiled code. It owns no memory, only the operators cached for its id. */
export function view(
  backend: WasmBackend,
  tensor: TensorInfo,
  start: number,
  size: number,
): Disposable & { id: number } {
  const id = backend.dataIdNextNumber++;
  backend.wasm.tfjs.registerTensor(id, size, backend.dataIdMap.get(tensor.dataId).memoryOffset + start * 4);
  return { id, [Symbol.dispose]: () => backend.wasm.tfjs.disposeData(id) };
}

function turned(tensor: TensorInfo, turn: boolean, backend: WasmBackend, temporaries: TensorInfo[]): TensorInfo {
  if (!turn) return tensor;
  const rank = tensor.shape.length;
  const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  const out = runKernel("Transpose", { inputs: { x: tensor }, attrs: { perm }, backend });
  temporaries.push(out);
  return out;
}

/** Where each matrix of the broadcast batch starts. */
function offsets(own: number[], batch: number[], matrix: number): number[] {
  let starts = [0];
  let stride = sizeOf(own) * matrix;
  for (const [axis, n] of batch.entries()) {
    const size = own[axis - (batch.length - own.length)] ?? 1;
    stride /= size;
    const step = size === 1 ? 0 : stride;
    starts = starts.flatMap((start) => Array.from({ length: n }, (_, i) => start + i * step));
  }
  return starts;
}
