import assert from "node:assert/strict";
import type { NumberArray, ReduceOp } from "../../runtime/comm/process_group.ts";
import { divide, reduceInto } from "../../runtime/comm/reduce.ts";
import { compileKernels } from "../../runtime/comm/reduce_kernels.ts";

const STRIDE = 65_536, TARGET_AT = 32_768;

for (const Type of [Float32Array, Float64Array, Int32Array]) {
  for (const op of ["sum", "mean", "product", "min", "max"] as ReduceOp[]) {
    Deno.test(`${op} of ${Type.name} by vector instructions is, to the bit, what the plain loops compute`, () => {
      for (const count of [2, 3, 5, 8]) {
        const memory = new WebAssembly.Memory({ initial: count, maximum: count });
        const kernels = compileKernels(memory, { count, stride: STRIDE });
        const buffer = memory.buffer as ArrayBuffer;
        for (const length of [0, 1, 2, 3, 4, 5, 7, 64, 1001]) {
          for (const skip of [0, 1, 3]) {
            const bytes = length * Type.BYTES_PER_ELEMENT, source = skip * Type.BYTES_PER_ELEMENT;
            const sources = Array.from({ length: count }, (_, rank): NumberArray => {
              const valueOf = (i: number) => Math.sin(i * 12.9898 + rank * 78.233) * (i % 7 === 0 ? 2 ** 31 : 50);
              return new Type(Array.from({ length }, (_, i) => valueOf(i)));
            });
            for (const [rank, values] of sources.entries()) new Type(buffer, rank * STRIDE + source).set(values);
            const expected: NumberArray = sources[0].slice();
            for (const values of sources.slice(1)) reduceInto(expected, values, op);
            if (op === "mean") divide(expected, count);
            const after = new Uint8Array(buffer, TARGET_AT + bytes + 16, 64).fill(77);
            kernels.reduce(expected, op, { target: TARGET_AT, source, bytes });
            assert.deepEqual(
              new Type(buffer, TARGET_AT, length),
              expected,
              `${length} elements of ${count} ranks`,
            );
            assert.ok(after.every((byte) => byte === 77), "nothing is written far behind the result");
          }
        }
      }
    });
  }
}

for (const Type of [Float32Array, Float64Array, Int32Array]) {
  Deno.test(`every operation on ${Type.name}, written over all that it read, gives what it gives in one place`, () => {
    for (const op of ["sum", "mean", "product", "min", "max"] as ReduceOp[]) {
      for (const count of [2, 3, 5, 8]) {
        const memory = new WebAssembly.Memory({ initial: count, maximum: count });
        const kernels = compileKernels(memory, { count, stride: STRIDE });
        const buffer = memory.buffer as ArrayBuffer, source = 3 * Type.BYTES_PER_ELEMENT;
        for (const bytes of [0, 16, 48, 8000]) {
          const length = bytes / Type.BYTES_PER_ELEMENT;
          const areas = Array.from({ length: count }, (_, rank) => new Type(buffer, rank * STRIDE, 3 + length + 3));
          for (const [rank, area] of areas.entries()) {
            area.fill(77).set(Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + rank * 78.233) * 50), 3);
          }
          kernels.reduce(new Type(0), op, { target: TARGET_AT, source, bytes });
          const expected = [77, 77, 77, ...new Type(buffer, TARGET_AT, length), 77, 77, 77];
          kernels.reduceEverywhere(new Type(0), op, { source, bytes });
          for (const area of areas) assert.deepEqual([...area], expected, `${op} of ${bytes} bytes of ${count} ranks`);
        }
      }
    }
  });
}

Deno.test("a reduction may overwrite one of the arrays it reads", () => {
  const memory = new WebAssembly.Memory({ initial: 3, maximum: 3 });
  const kernels = compileKernels(memory, { count: 3, stride: STRIDE });
  for (let rank = 0; rank < 3; rank++) new Float32Array(memory.buffer, rank * STRIDE, 10).fill(rank + 1);
  kernels.reduce(new Float32Array(0), "sum", { target: STRIDE, source: 0, bytes: 40 });
  assert.deepEqual(new Float32Array(memory.buffer, STRIDE, 10), new Float32Array(10).fill(6));
  assert.deepEqual(new Float32Array(memory.buffer, 2 * STRIDE, 10), new Float32Array(10).fill(3));
});
