import { barrier, broadcastBytes, broadcastUnknown, bytesOf, gatherBytes } from "./algorithms.ts";
import { measureHosts } from "./between_hosts.ts";
import { checkData, checkNumbers, checkOp, checkUse } from "./check_data.ts";
import { TrafficMeter } from "./hierarchical_reduce.ts";
import { type HostLayout, hostLayout } from "./host_layout.ts";
import { systemClock } from "../core/clock.ts";
import { hereAsUserCall, keepUserCalls } from "../core/user_call.ts";
import { CollectiveQueue, type CollectiveQueueOptions } from "./collective_queue.ts";
import type { Exchange } from "./exchange.ts";
import { MAX_PAYLOAD_BYTES, type Signature } from "./frame.ts";
import { allGatherInPlace } from "./in_place_all_gather.ts";
import { decodeObject, encodeObject, MAX_OBJECT_BYTES } from "./object_codec.ts";
import {
  type BetweenHosts,
  type CollectiveOptions,
  type DataArray,
  type NumberArray,
  type NumberArrayType,
  type ProcessGroup,
  type ReduceOptions,
  type RootOptions,
  segmentOf,
  type SharedArray,
  type SharedArrayOptions,
} from "./process_group.ts";
import { leaveAtExit } from "./leave_at_exit.ts";
import type { Lifelines } from "./lifelines.ts";
import type { StartReduceEngine } from "./reduce_engine.ts";
import { Reductions, type ReductionSizes } from "./reductions.ts";
import { SharedArena } from "./shared_arena.ts";
import { SharedArrays } from "./shared_arrays.ts";
import type { SharedMemory } from "./shared_memory.ts";
import { canShare, shareOnHosts } from "./share_on_hosts.ts";
import type { WaitOptions } from "./store.ts";
import type { Transport } from "./transport.ts";

/** The most bytes of one rank that all-gather takes. */
const MAX_GATHER_BYTES = 4 * 1024 ** 3;

/** Options of {@linkcode TransportGroup}. */
export interface TransportGroupOptions extends CollectiveQueueOptions, ReductionSizes {
  /** The ranks of each host, by host. Default: all ranks are on one. */
  hosts?: readonly (readonly number[])[];
  /** What they are called. Default: `host 0` and so on. */
  hostNames?: readonly string[];
  /** Where memory that the ranks of this host share comes from, for the larger reductions. Default: there is none. */
  sharedMemory?: SharedMemory;
  /** By which ranks notice that this one is gone, or leaves with its process. Owned from now on. Default: a launcher tells them. */
  lifelines?: Lifelines;
  /** Arrays up to this size are reduced in shared memory by every rank as a whole, longer ones in chunks. Default: 4 MiB divided by the ranks, at most 1 MiB. */
  sharedWholeBytes?: number;
  /** The bytes of such a chunk. Default: 4 MiB divided by the ranks. */
  sharedChunkBytes?: number;
}

/** A process group over any transport. docs/collectives.md tells what each collective costs. */
export class TransportGroup implements ProcessGroup {
  readonly rank: number;
  readonly worldSize: number;
  readonly #queue: CollectiveQueue;
  readonly #reductions: Reductions;
  readonly #layout: HostLayout | undefined;
  readonly betweenHosts: BetweenHosts | undefined;
  readonly #arena: SharedArena | undefined;
  readonly #arrays: SharedArrays | undefined;
  readonly #lifelines: TransportGroupOptions["lifelines"];
  readonly #atExit: Disposable | undefined;
  #isHelped = true;

  /** @param transport owned from now on */
  constructor(transport: Transport, options: TransportGroupOptions = {}) {
    this.rank = transport.rank;
    this.worldSize = transport.worldSize;
    if (this.worldSize > 1) keepUserCalls();
    const { clock = systemClock, hosts = [], hostNames = hosts.map((_, host) => `host ${host}`), sharedMemory } =
      options;
    const now = () => clock.now(), traffic = new TrafficMeter(now);
    this.#layout = hosts.length > 1 ? hostLayout(hosts, transport) : undefined;
    const sharers = this.#layout?.near.length ?? this.worldSize;
    if (sharedMemory && sharers > 1) {
      // Measured: larger chunks do not get faster, and all that the ranks pass on stays in a processor's last cache.
      const share = Math.floor((4 << 20) / sharers);
      this.#arena = new SharedArena(sharers, {
        sharedMemory,
        // Between hosts nobody has the whole result by himself.
        wholeBytes: this.#layout ? 0 : options.sharedWholeBytes ?? Math.min(1 << 20, share),
        chunkBytes: options.sharedChunkBytes ?? share,
      });
    }
    const reductions = new Reductions({ layout: this.#layout, arena: this.#arena, traffic }, options);
    if (sharedMemory && this.#arena && canShare(this.#layout)) {
      const place = this.#layout?.near.indexOf(this.rank) ?? this.rank, arena = this.#arena;
      // Measured on 2 and 4 ranks of one host: up to here copies take less time than a second turn.
      const fromBytes = this.#layout ? reductions.smallBytes : arena.wholeBytes / 2;
      const gatherFromBytes = reductions.sharedFromBytes;
      this.#arrays = new SharedArrays({ place, sharers }, { arena, sharedMemory, fromBytes, gatherFromBytes });
    }
    this.#reductions = reductions;
    this.#queue = new CollectiveQueue(transport, options);
    this.#lifelines = options.lifelines;
    this.#atExit = this.#lifelines && leaveAtExit(this);
    this.betweenHosts = this.#layout && {
      traffic,
      measure: (bytes) => {
        const share = Math.ceil(bytes / this.#layout!.carriers);
        const load = new Uint8Array(Math.min(Math.max(1, share), MAX_PAYLOAD_BYTES));
        const signature: Signature = { kind: "measureHosts", dtype: "none", op: "none", root: 0, count: 0 };
        return this.#run(signature, {}, (exchange) => measureHosts(exchange, { hosts, names: hostNames, load, now }));
      },
    };
  }

  /**
   * Lets an engine reduce what it takes from now on. Every rank calls it, before anything is reduced. Everything else stays the transport's: what ranks tell
   * each other, and whether they agree.
   * @throws what `start` throws, after the other ranks were told; the group is of no use then
   */
  async startEngine(start: StartReduceEngine): Promise<void> {
    try {
      this.#reductions.engine = await start(this);
    } catch (error) {
      await this.abort(error as Error);
      throw error;
    }
  }

  allReduce<T extends NumberArray>(data: T, options: ReduceOptions = {}): Promise<T> {
    return this.#reduce("allReduce", data, { ...options, resultOf: () => data });
  }

  reduceScatter<T extends NumberArray>(data: T, options: ReduceOptions = {}): Promise<T> {
    const { start, end } = segmentOf(data.length, this.rank, this.worldSize);
    return this.#reduce("reduceScatter", data, { ...options, resultOf: () => data.subarray(start, end) as T });
  }

  sharedArray<T extends NumberArray>(
    type: NumberArrayType<T>,
    length: number,
    options: SharedArrayOptions = {},
  ): Promise<SharedArray<T>> {
    if (!Number.isInteger(length) || length < 0) throw new RangeError(`length is ${length}; give a whole number`);
    const { purpose, use = "reduce" } = options, empty = new type(new ArrayBuffer(0), 0, 0);
    const dtype = checkNumbers(empty, "sharedArray"), root = checkUse(use);
    const signature: Signature = { kind: "sharedArray", dtype, op: "none", root, count: length, purpose };
    return this.#run(signature, options, async (exchange) => {
      const bytes = length * empty.BYTES_PER_ELEMENT, layout = this.#layout, arrays = this.#arrays;
      const share = () =>
        layout ? shareOnHosts(exchange, { layout, arrays, bytes }) : arrays?.make(exchange, bytes, use);
      const found = this.#reductions.engine || layout && use === "gather" ? undefined : await share();
      if (found) {
        const data = new type(found.buffer, found.offset, length);
        return { data, isShared: true, [Symbol.dispose]: () => arrays!.drop(found.buffer, this.#queue.idle) };
      }
      await barrier(exchange);
      return { data: new type(new ArrayBuffer(bytes), 0, length), isShared: false, [Symbol.dispose]() {} };
    });
  }

  allGather<T extends DataArray>(data: T, options: CollectiveOptions = {}): Promise<T[]> {
    const dtype = checkData(data, "allGather"), { purpose } = options, elementBytes = data.BYTES_PER_ELEMENT;
    const place = this.#layout ? undefined : this.#arrays?.beginOf(data), root = place?.number ?? 0;
    const signature: Signature = { kind: "allGather", dtype, op: "none", root, count: data.length, purpose };
    return this.#run(signature, options, async (exchange) => {
      if (place) return await allGatherInPlace(exchange, place, data);
      const receivers = Array.from({ length: this.worldSize }, (_, rank) => rank);
      const all = await gatherBytes(exchange, bytesOf(data), { receivers, maxBytes: MAX_GATHER_BYTES, elementBytes });
      const like = data.constructor as new (buffer: ArrayBufferLike) => T;
      return all.map((bytes, rank) => rank === this.rank ? data : new like(bytes.buffer));
    });
  }

  broadcast<T extends DataArray>(data: T, options: RootOptions = {}): Promise<T> {
    const dtype = checkData(data, "broadcast");
    const root = this.#checkRoot(options.root), { purpose } = options;
    const signature: Signature = { kind: "broadcast", dtype, op: "none", root, count: data.length, purpose };
    return this.#run(signature, options, async (exchange) => {
      await broadcastBytes(exchange, bytesOf(data), root);
      return data;
    });
  }

  async broadcastObject<T>(value: T, options: RootOptions = {}): Promise<T> {
    const root = this.#checkRoot(options.root);
    const mine = this.rank === root ? encodeObject(value) : new Uint8Array(0);
    const { purpose } = options, count = mine.length;
    const signature: Signature = { kind: "broadcastObject", dtype: "object", op: "none", root, count, purpose };
    const bytes = await this.#run(
      signature,
      options,
      (exchange) => broadcastUnknown(exchange, mine, { root, maxBytes: MAX_OBJECT_BYTES }),
    );
    return this.rank === root ? value : decodeObject(bytes) as T;
  }

  async gatherObjects<T>(value: T, options: RootOptions = {}): Promise<T[] | undefined> {
    const root = this.#checkRoot(options.root);
    const all = await this.#gatherObjects("gatherObjects", value, { ...options, root, receivers: [root] });
    return this.rank === root ? all as T[] : undefined;
  }

  async allGatherObjects<T>(value: T, options: CollectiveOptions = {}): Promise<T[]> {
    const receivers = Array.from({ length: this.worldSize }, (_, rank) => rank);
    return await this.#gatherObjects("allGatherObjects", value, { ...options, root: 0, receivers }) as T[];
  }

  barrier(options: CollectiveOptions = {}): Promise<void> {
    const { purpose } = options;
    return this.#run({ kind: "barrier", dtype: "none", op: "none", root: 0, count: 0, purpose }, options, barrier);
  }

  async abort(reason: Error): Promise<void> {
    await this.#queue.abort(reason);
    await this.#closeHelpers();
  }

  /** Leaves the group. Collectives that still wait reject; what was sent to others still reaches them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
    await this.#closeHelpers();
  }

  /** Leaves the group because the process ends, with this exit code. Blocks until the others have been told, for two seconds at most. */
  leaveNow(exitCode: number): void {
    this.#queue.leaveNow(exitCode);
    this.#lifelines?.say({ leaves: true });
    this.#lifelines?.closeNow();
  }

  /** Tells the others what was thrown, for if the process ends of it. */
  noteError(error: unknown): void {
    const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
    this.#lifelines?.say({ error: { name: name.slice(0, 200), message: message.slice(0, 1000) } });
  }

  async #closeHelpers(): Promise<void> {
    if (!this.#isHelped) return;
    this.#isHelped = false;
    this.#atExit?.[Symbol.dispose]();
    this.#arena?.close();
    this.#arrays?.close();
    this.#reductions.engine?.close();
    this.#reductions.engine = undefined;
    this.#lifelines?.say({ leaves: true });
    await this.#lifelines?.[Symbol.asyncDispose]();
  }

  async #gatherObjects(
    kind: "gatherObjects" | "allGatherObjects",
    value: unknown,
    options: RootOptions & { root: number; receivers: number[] },
  ): Promise<unknown[]> {
    const { root, receivers, purpose } = options, mine = encodeObject(value);
    const all = await this.#run(
      { kind, dtype: "object", op: "none", root, count: mine.length, purpose },
      options,
      (exchange) => gatherBytes(exchange, mine, { receivers, maxBytes: MAX_OBJECT_BYTES, elementBytes: 1 }),
    );
    return receivers.includes(this.rank)
      ? all.map((bytes, rank) => rank === this.rank ? value : decodeObject(bytes))
      : [];
  }

  #reduce<T extends NumberArray>(
    kind: "allReduce" | "reduceScatter",
    data: T,
    options: ReduceOptions & { resultOf: () => T },
  ): Promise<T> {
    const op = checkOp(options.op), dtype = checkNumbers(data, kind), gather = kind === "allReduce";
    const place = this.#arrays?.placeOf(data), { purpose } = options;
    const signature: Signature = { kind, dtype, op, root: place?.number ?? 0, count: data.length, purpose };
    return this.#run(signature, options, async (exchange) => {
      await this.#reductions.reduce(exchange, data, { op, gather, place });
      return options.resultOf();
    });
  }

  #run<T>(signature: Signature, options: WaitOptions, body: (exchange: Exchange) => Promise<T>): Promise<T> {
    const { timeoutMs, signal } = options;
    if (timeoutMs !== undefined && !(timeoutMs > 0)) {
      throw new RangeError(`timeoutMs of ${signature.kind} is ${timeoutMs}; give a positive number of milliseconds`);
    }
    // Made here, where the caller is on the stack; put into words only when something goes wrong.
    return this.#queue.run(signature, { timeoutMs, signal, call: hereAsUserCall() }, body);
  }

  #checkRoot(root = 0): number {
    if (!Number.isInteger(root) || root < 0 || root >= this.worldSize) {
      throw new RangeError(`root is ${root}; the ranks of this group are 0 to ${this.worldSize - 1}`);
    }
    return root;
  }
}
