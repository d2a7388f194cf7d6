import type { NumberArray, ReduceOp } from "./process_group.ts";
import { divide } from "./reduce.ts";

/** Where a reduction reads and writes, in bytes of the shared memory. */
export interface ReduceSpan {
  target: number;
  /** The first rank's; the others' follow, `stride` bytes from one to the next. */
  source: number;
  bytes: number;
}

/** Reduces what lies in several places of a WebAssembly memory. */
export interface ReduceKernels {
  /**
   * Reduces element by element, rank by rank in their order: the same bytes wherever it is done. Writes up to 15 bytes more than `bytes`,
   * whose values mean nothing. The target may be one of the sources.
   */
  reduce(like: NumberArray, op: ReduceOp, span: ReduceSpan): void;
  /**
   * Reduces in the same way, and writes the result over all that it read.
   * @param span.bytes a multiple of 16; nothing behind them is touched
   */
  reduceEverywhere(like: NumberArray, op: ReduceOp, span: Omit<ReduceSpan, "target">): void;
}

type Kernel = (target: number, source: number, stride: number, bytes: number) => void;

/** Vector instructions by type and operation (WebAssembly core specification 2.0, 5.4.9), each after the prefix 0xfd. */
const INSTRUCTIONS = {
  float32: { sum: 228, mean: 228, product: 230, min: 232, max: 233 },
  float64: { sum: 240, mean: 240, product: 242, min: 244, max: 245 },
  int32: { sum: 174, mean: 174, product: 181, min: 182, max: 184 },
} as const;
const DIVIDE = { float32: 231, float64: 243 } as const;

/**
 * Compiles the reductions of `count` ranks. They are WebAssembly, because it has vector instructions, several times as fast as
 * JavaScript's loops; they are put together here, because their inner loop goes over the ranks, which are many or few.
 * @param stride bytes from one rank's data to the next's
 */
export function compileKernels(memory: WebAssembly.Memory, options: { count: number; stride: number }): ReduceKernels {
  const { count, stride } = options;
  const kernels = new WebAssembly.Instance(moduleFor(count), { "": { memory } }).exports as Record<string, Kernel>;
  const reduce: ReduceKernels["reduce"] = (like, op, { target, source, bytes }) => {
    if (bytes === 0) return;
    const dtype = dtypeOf(like);
    kernels[`${dtype} ${op}`](target, source, stride, bytes);
    if (dtype === "int32" && op === "mean") divide(new Int32Array(memory.buffer, target, bytes / 4), count);
  };
  return {
    reduce,
    reduceEverywhere(like, op, { source, bytes }) {
      if (bytes === 0) return;
      const dtype = dtypeOf(like);
      if (dtype !== "int32" || op !== "mean") return kernels[`${dtype} ${op} everywhere`](0, source, stride, bytes);
      reduce(like, op, { target: source, source, bytes });
      const whole = new Uint8Array(memory.buffer);
      for (let rank = 1; rank < count; rank++) whole.copyWithin(source + rank * stride, source, source + bytes);
    },
  };
}

/** By how many ranks they reduce. */
const modules = new Map<number, WebAssembly.Module>();

function moduleFor(count: number): WebAssembly.Module {
  const known = modules.get(count);
  if (known) return known;
  const names: string[] = [], bodies: number[][] = [];
  for (const dtype of ["float32", "float64", "int32"] as const) {
    for (const op of ["sum", "mean", "product", "min", "max"] as const) {
      // There is no vector instruction to divide integers.
      const after = op === "mean" && dtype !== "int32" ? divideBy(dtype, count) : [];
      const value = combined(count, vector(INSTRUCTIONS[dtype][op]), after);
      names.push(`${dtype} ${op}`, `${dtype} ${op} everywhere`);
      bodies.push(reduction(value), reductionEverywhere(count, value));
    }
  }
  const module = new WebAssembly.Module(moduleOf(names, bodies));
  modules.set(count, module);
  return module;
}

function dtypeOf(like: NumberArray): "float32" | "float64" | "int32" {
  return like instanceof Float32Array ? "float32" : like instanceof Float64Array ? "float64" : "int32";
}

const I32 = 0x7f, V128 = 0x7b;
const [TARGET, SOURCE, STRIDE, BYTES, AT, FROM, VALUE] = [0, 1, 2, 3, 4, 5, 6];
const get = (local: number) => [0x20, local], set = (local: number) => [0x21, local];
const tee = (local: number) => [0x22, local];
const ADD = 0x6a, SUBTRACT = 0x6b;
/** Aligned to 4 bytes at least. */
const LOAD = [...vector(0), 2, 0], STORE = [...vector(11), 2, 0];

/** Leaves on the stack what 16 bytes of all ranks come to, and in FROM where the last rank's lie. */
function combined(count: number, combine: number[], after: number[]): number[] {
  const next = [...get(FROM), ...get(STRIDE), ADD, ...tee(FROM), ...LOAD, ...combine];
  return [
    ...[...get(SOURCE), ...get(AT), ADD, ...tee(FROM), ...LOAD],
    ...Array.from({ length: count - 1 }, () => next).flat(),
    ...after,
  ];
}

/** A function that repeats a part for each 16 bytes. */
function loop(part: number[]): number[] {
  return [
    ...[2, 2, I32, 1, V128],
    ...[0x03, 0x40],
    ...part,
    ...[...get(AT), 0x41, 16, ADD, ...tee(AT), ...get(BYTES), 0x49, 0x0d, 0],
    ...[0x0b, 0x0b],
  ];
}

/** One reduction into one place. */
function reduction(value: number[]): number[] {
  return loop([...get(TARGET), ...get(AT), ADD, ...value, ...STORE]);
}

/** One reduction into the place of each rank: from the last back to the first. */
function reductionEverywhere(count: number, value: number[]): number[] {
  const store = [...get(VALUE), ...STORE];
  const before = [...get(FROM), ...get(STRIDE), SUBTRACT, ...tee(FROM), ...store];
  return loop([
    ...[...value, ...set(VALUE)],
    ...[...get(FROM), ...store],
    ...Array.from({ length: count - 1 }, () => before).flat(),
  ]);
}

function divideBy(dtype: "float32" | "float64", count: number): number[] {
  const constant = dtype === "float32"
    ? [0x43, ...new Uint8Array(new Float32Array([count]).buffer), ...vector(19)]
    : [0x44, ...new Uint8Array(new Float64Array([count]).buffer), ...vector(20)];
  return [...constant, ...vector(DIVIDE[dtype])];
}

/** A module that imports a memory and exports functions (target, source, stride, bytes). */
function moduleOf(names: readonly string[], bodies: readonly number[][]): Uint8Array<ArrayBuffer> {
  const text = (name: string) => list([...new TextEncoder().encode(name)].map((byte) => [byte]));
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [[0x60, 4, I32, I32, I32, I32, 0]]),
    ...section(2, [[...text(""), ...text("memory"), 2, 0, 1]]),
    ...section(3, names.map(() => [0])),
    ...section(7, names.map((name, i) => [...text(name), 0, ...unsigned(i)])),
    ...section(10, bodies.map((body) => [...unsigned(body.length), ...body])),
  ]);
}

function section(id: number, items: number[][]): number[] {
  const content = list(items);
  return [id, ...unsigned(content.length), ...content];
}

function list(items: number[][]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function vector(instruction: number): number[] {
  return [0xfd, ...unsigned(instruction)];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [value & 127 | 128, ...unsigned(value >>> 7)];
}
