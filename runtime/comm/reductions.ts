import { allReduceSmall, barrier, ring } from "./algorithms.ts";
import type { Exchange } from "./exchange.ts";
import { MAX_PAYLOAD_BYTES } from "./frame.ts";
import { hierarchicalAllReduce, type TrafficMeter } from "./hierarchical_reduce.ts";
import type { HostLayout } from "./host_layout.ts";
import { reduceInPlace } from "./in_place_reduce.ts";
import type { NumberArray, ReduceOp } from "./process_group.ts";
import type { ReduceEngine } from "./reduce_engine.ts";
import type { SharedArena } from "./shared_arena.ts";
import type { SharedPlace } from "./shared_arrays.ts";
import { sharedReduce } from "./shared_reduce.ts";

/** The first step of the barrier that lets an engine begin. */
const OPENING_STEP = 0;

/** From which sizes on arrays are reduced how. */
export interface ReductionSizes {
  /** Arrays up to this size are reduced in few steps, longer ones around a ring. Default: 64 KiB; at most 1 MiB. */
  smallBytes?: number;
  /** How large arrays are cut up on their way around the ring. Default: 256 KiB; at most 1 MiB. */
  chunkBytes?: number;
  /** Arrays of more bytes than this are reduced in shared memory. Default: 16 KiB. */
  sharedFromBytes?: number;
}

/** What the ranks of a group can reduce with. */
export interface ReductionMeans {
  /** Undefined: all ranks are on one host. */
  readonly layout: HostLayout | undefined;
  /** Undefined: the ranks of a host share no memory. */
  readonly arena: SharedArena | undefined;
  /** Counts what goes between hosts. */
  readonly traffic: TrafficMeter;
}

/** What one reduction does. */
export interface Reduction {
  readonly op: ReduceOp;
  /** Every rank gets the whole result, not only its segment. */
  readonly gather: boolean;
  /** Where in the shared arrays the data lies; undefined if it does not. */
  readonly place: SharedPlace | undefined;
}

/** Chooses the algorithm that an array is reduced by, on each rank the same: by its size, where it lies, and what the ranks have to reduce with. */
export class Reductions {
  readonly smallBytes: number;
  readonly sharedFromBytes: number;
  readonly #chunkBytes: number;
  readonly #means: ReductionMeans;
  /** Reduces what it takes, if there is one. */
  engine: ReduceEngine | undefined;

  constructor(means: ReductionMeans, sizes: ReductionSizes) {
    this.#means = means;
    this.smallBytes = Math.min(sizes.smallBytes ?? 64 * 1024, MAX_PAYLOAD_BYTES);
    this.#chunkBytes = Math.min(sizes.chunkBytes ?? 256 * 1024, MAX_PAYLOAD_BYTES);
    this.sharedFromBytes = sizes.sharedFromBytes ?? 16 * 1024;
  }

  /** Reduces `data` in place. */
  async reduce(exchange: Exchange, data: NumberArray, { op, gather, place }: Reduction): Promise<void> {
    const { layout, arena, traffic } = this.#means, engine = this.engine;
    const size = data.byteLength, smallBytes = this.smallBytes, chunkBytes = this.#chunkBytes;
    if (engine && size > 0 && engine.takes(data)) {
      // All are there and agree, so that the engine, which could not say who is missing, waits for nobody.
      await barrier(exchange, OPENING_STEP);
      await exchange.during(engine.allReduce(data, op), (reason) => engine.cancel(reason));
      // A rank that has its result and leaves must not take with it what another still reads.
      await barrier(exchange);
    } else if (layout && (gather || !layout.isFlat)) {
      await hierarchicalAllReduce(exchange, data, { op, layout, arena, place, smallBytes, chunkBytes, traffic });
    } else if (place) await reduceInPlace(exchange, place, { data, op, gather });
    else if (arena && size > this.sharedFromBytes && await arena.prepare(exchange, size)) {
      await sharedReduce(exchange, arena, { data, op, gather });
    } else if (size <= smallBytes) await allReduceSmall(exchange, data, op);
    else await ring(exchange, data, { op, chunkBytes, gather });
  }
}
