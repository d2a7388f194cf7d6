import type { NumberArray, ReduceOp } from "./process_group.ts";

/**
 * Adds, multiplies or compares `source` into `target`, element by element. There is one loop for each type and operation, so that
 * each sees one kind of array and compiles to code without checks of what it has before it.
 */
export function reduceInto(target: NumberArray, source: NumberArray, op: ReduceOp): void {
  if (target instanceof Float32Array) FLOAT32[op](target, source as Float32Array);
  else if (target instanceof Float64Array) FLOAT64[op](target, source as Float64Array);
  else INT32[op](target, source as Int32Array);
}

/** Divides by the number of ranks; integers are rounded toward zero. */
export function divide(target: NumberArray, worldSize: number): void {
  if (target instanceof Float32Array) divideFloat32(target, worldSize);
  else if (target instanceof Float64Array) divideFloat64(target, worldSize);
  else divideInt32(target, worldSize);
}

function sumFloat32(target: Float32Array, source: Float32Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] += source[i];
}
function minFloat32(target: Float32Array, source: Float32Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] = Math.min(target[i], source[i]);
}
function maxFloat32(target: Float32Array, source: Float32Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] = Math.max(target[i], source[i]);
}
function productFloat32(target: Float32Array, source: Float32Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] *= source[i];
}
function divideFloat32(target: Float32Array, by: number): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] /= by;
}

function sumFloat64(target: Float64Array, source: Float64Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] += source[i];
}
function minFloat64(target: Float64Array, source: Float64Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] = Math.min(target[i], source[i]);
}
function maxFloat64(target: Float64Array, source: Float64Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] = Math.max(target[i], source[i]);
}
function productFloat64(target: Float64Array, source: Float64Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] *= source[i];
}
function divideFloat64(target: Float64Array, by: number): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] /= by;
}

function sumInt32(target: Int32Array, source: Int32Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] = target[i] + source[i] | 0;
}
function minInt32(target: Int32Array, source: Int32Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] = target[i] < source[i] ? target[i] : source[i];
}
function maxInt32(target: Int32Array, source: Int32Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] = target[i] > source[i] ? target[i] : source[i];
}
function productInt32(target: Int32Array, source: Int32Array): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] = Math.imul(target[i], source[i]);
}
function divideInt32(target: Int32Array, by: number): void {
  for (let i = 0, n = target.length; i < n; i++) target[i] = target[i] / by | 0;
}

const FLOAT32 = { sum: sumFloat32, mean: sumFloat32, min: minFloat32, max: maxFloat32, product: productFloat32 };
const FLOAT64 = { sum: sumFloat64, mean: sumFloat64, min: minFloat64, max: maxFloat64, product: productFloat64 };
const INT32 = { sum: sumInt32, mean: sumInt32, min: minInt32, max: maxInt32, product: productInt32 };
