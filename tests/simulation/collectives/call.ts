import type { DataArray, NumberArray, ProcessGroup, ReduceOp } from "../../../runtime/comm/process_group.ts";
import { segmentOf } from "../../../runtime/comm/process_group.ts";
import type { Random } from "../../../runtime/seed/random.ts";

/** A collective that all ranks call, and what each should get. */
export interface Call {
  readonly name: string;
  /** What all ranks do before the first call. Default: nothing. */
  prepare?(group: ProcessGroup): Promise<void>;
  /** @param purpose what this rank says that it is for */
  run(group: ProcessGroup, purpose: string): Promise<unknown>;
  /** What is wrong with the result of this rank; undefined if nothing is. */
  problem(result: unknown, rank: number): string | undefined;
  /** Whether a rank comes to an end without the others: it gets nothing. Default: no rank does. */
  getsNothing?(rank: number): boolean;
}

/** What calls may be drawn. */
export interface CallLimits {
  worldSize: number;
  /** Of an array. */
  maxLength: number;
  /** Whether each rank may send to each. */
  allToAll: boolean;
}

type Draw = (random: Random, limits: CallLimits) => Call;

/** Draws a collective with its data. */
export function drawCall(random: Random, limits: CallLimits): Call {
  const draws: Draw[] = [reduction, reduction, reduction, barrier, broadcast, broadcastObject];
  if (limits.allToAll) draws.push(allGather, gatherObjects, allGatherObjects);
  return draws[random.integer(draws.length)](random, limits);
}

const ARRAYS = [Float32Array, Float64Array, Int32Array] as const;
const OPS = ["sum", "mean", "min", "max", "product"] as const;

/** All-reduce or reduce-scatter of whole numbers, whose sums are exact, or of fractions, whose sums must still be the same bytes on all ranks. */
function reduction(random: Random, { worldSize, maxLength }: CallLimits): Call {
  const Arrays = ARRAYS[random.integer(3)], op: ReduceOp = OPS[random.integer(5)];
  const length = 1 + random.integer(maxLength), salt = random.integer(1000);
  const isExact = Arrays === Int32Array || op !== "mean" && random.integer(3) > 0;
  const scatters = random.integer(4) === 0;
  const value = (rank: number, i: number) => {
    const whole = (rank * 7919 + i * 104_729 + salt * 31) % 2001 - 1000;
    return op === "product" ? (whole % 2 === 0 ? 1 : -1) : isExact ? whole : whole / 7;
  };
  // No draw of its own, so that older seeds give the same calls.
  const isShared = salt % 3 === 0;
  const sharedOf = new WeakMap<ProcessGroup, NumberArray>();
  const dataOf = (group: ProcessGroup): NumberArray => {
    const data: NumberArray = sharedOf.get(group) ?? new Arrays(length);
    for (let i = 0; i < length; i++) data[i] = value(group.rank, i);
    return data;
  };
  const expected = once(() => Array.from({ length }, (_, i) => directly(worldSize, op, (rank) => value(rank, i))));
  // Where every rank's is compared with, if only the bytes are known.
  let first: NumberArray | undefined;
  return {
    name: `${scatters ? "reduceScatter" : "allReduce"} (${op}) of ${length} ${Arrays.name}${
      isExact ? "" : ", fractions"
    }${isShared ? ", shared" : ""}`,
    async prepare(group) {
      if (isShared) sharedOf.set(group, (await group.sharedArray<NumberArray>(Arrays, length)).data);
    },
    run: (group, purpose) =>
      scatters ? group.reduceScatter(dataOf(group), { op, purpose }) : group.allReduce(dataOf(group), { op, purpose }),
    getsNothing(rank) {
      const { start, end } = segmentOf(length, rank, worldSize);
      return scatters && start === end;
    },
    problem(result, rank) {
      const array = result as NumberArray;
      const { start, end } = scatters ? segmentOf(length, rank, worldSize) : { start: 0, end: length };
      if (array.length !== end - start) return `has ${array.length} elements instead of ${end - start}`;
      for (let i = start; i < end; i++) {
        const got = array[i - start], wanted = expected()[i];
        const near = isExact ? got === like(Arrays, wanted) : Math.abs(got - wanted) <= 1e-5 * worldSize * 143;
        if (!near) return `element ${i} is ${got} instead of ${wanted}`;
      }
      if (scatters) return undefined;
      first ??= array.slice();
      return sameBytes(array, first) ? undefined : "has other bytes than another rank's";
    },
  };
}

/** Computed in double precision, rank after rank. */
function directly(worldSize: number, op: ReduceOp, value: (rank: number) => number): number {
  let result = value(0);
  for (let rank = 1; rank < worldSize; rank++) {
    const one = value(rank);
    if (op === "min") result = Math.min(result, one);
    else if (op === "max") result = Math.max(result, one);
    else if (op === "product") result *= one;
    else result += one;
  }
  return op === "mean" ? result / worldSize : result;
}

function like(Arrays: typeof ARRAYS[number], value: number): number {
  return Arrays === Int32Array ? Math.trunc(value) : Arrays === Float32Array ? Math.fround(value) : value;
}

function barrier(): Call {
  return { name: "barrier", run: (group, purpose) => group.barrier({ purpose }), problem: () => undefined };
}

function bytesOf(rank: number, length: number, salt: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (rank * 31 + i * 7 + salt) & 255);
}

function broadcast(random: Random, { worldSize, maxLength }: CallLimits): Call {
  const root = random.integer(worldSize), length = random.integer(8 * maxLength), salt = random.integer(256);
  return {
    name: `broadcast (root ${root}) of ${length} bytes`,
    run: (group, purpose) =>
      group.broadcast(group.rank === root ? bytesOf(root, length, salt) : new Uint8Array(length), { root, purpose }),
    problem: (result) =>
      sameBytes(result as Uint8Array, bytesOf(root, length, salt)) ? undefined : "is not what the root sent",
  };
}

function broadcastObject(random: Random, { worldSize }: CallLimits): Call {
  const root = random.integer(worldSize), salt = random.integer(1000);
  return {
    name: `broadcastObject (root ${root})`,
    run: (group, purpose) => group.broadcastObject(group.rank === root ? { root, salt } : undefined, { root, purpose }),
    problem: (result) => same(result, { root, salt }),
  };
}

function allGather(random: Random, { worldSize, maxLength }: CallLimits): Call {
  const salt = random.integer(256), most = 1 + random.integer(maxLength);
  const lengthOf = (rank: number) => (rank * 13 + salt) % most;
  // No draw of its own, so that older seeds give the same calls.
  const isShared = salt % 3 === 0;
  const sharedOf = new WeakMap<ProcessGroup, NumberArray>();
  const isOf = (one: DataArray, rank: number, salt: number) =>
    sameBytes(Uint8Array.from(one), bytesOf(rank, lengthOf(rank), salt));
  const dataOf = (group: ProcessGroup, salt: number): DataArray => {
    const bytes = bytesOf(group.rank, lengthOf(group.rank), salt), shared = sharedOf.get(group);
    if (!shared) return bytes;
    shared.set(bytes);
    return shared.subarray(0, bytes.length) as NumberArray;
  };
  return {
    name: `allGather of up to ${most} ${isShared ? "int32, shared" : "bytes"}`,
    async prepare(group) {
      if (!isShared) return;
      sharedOf.set(group, (await group.sharedArray(Int32Array, most, { use: "gather" })).data);
      // What is shared is written again as soon as this rank may, however late the others are.
      for (const other of [salt + 1, salt + 2]) {
        const all = await group.allGather(dataOf(group, other));
        const wrong = all.findIndex((one, rank) => !isOf(one, rank, other));
        if (wrong >= 0) throw new Error(`rank ${group.rank} got other numbers of rank ${wrong} than that sent`);
      }
    },
    run: (group, purpose) => group.allGather(dataOf(group, salt), { purpose }),
    problem(result) {
      const all = result as (DataArray | undefined)[];
      if (all.length !== worldSize) return `comes from ${all.length} ranks`;
      const wrong = all.findIndex((one, rank) => !one || !isOf(one, rank, salt));
      return wrong < 0 ? undefined : `has other numbers of rank ${wrong} than that sent`;
    },
  };
}

function gatherObjects(random: Random, { worldSize }: CallLimits): Call {
  const root = random.integer(worldSize), salt = random.integer(1000);
  return {
    name: `gatherObjects (root ${root})`,
    run: (group, purpose) => group.gatherObjects({ rank: group.rank, salt }, { root, purpose }),
    problem: (result, rank) => same(result, rank === root ? everyRank(worldSize, salt) : undefined),
  };
}

function allGatherObjects(random: Random, { worldSize }: CallLimits): Call {
  const salt = random.integer(1000);
  return {
    name: "allGatherObjects",
    run: (group, purpose) => group.allGatherObjects({ rank: group.rank, salt }, { purpose }),
    problem: (result) => same(result, everyRank(worldSize, salt)),
  };
}

function everyRank(worldSize: number, salt: number): unknown[] {
  return Array.from({ length: worldSize }, (_, rank) => ({ rank, salt }));
}

function same(result: unknown, expected: unknown): string | undefined {
  const [got, wanted] = [JSON.stringify(result), JSON.stringify(expected)];
  return got === wanted ? undefined : `is ${got} instead of ${wanted}`;
}

function sameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  if (a.byteLength !== b.byteLength) return false;
  const one = new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
  const other = new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => made ??= make();
}
