import type { NumberArray, ProcessGroup, ReduceOp } from "../../comm/process_group.ts";
import type { ReduceEngine } from "../../comm/reduce_engine.ts";
import { RankFailedError } from "../../core/errors.ts";
import { eagerSetters, type OpAttribute, setAttribute } from "./attributes.ts";
import type { Context } from "./context.ts";
import { AttributeType, DataType, type NumericArray } from "./data_types.ts";
import type { OpenedLibrary } from "./open_library.ts";
import { type EngineRuntime, freePort, openServers } from "./open_servers.ts";
import { Status } from "./status.ts";
import { cString } from "./symbols.ts";
import { copyHandle, numericHandle } from "./tensor_transfer.ts";

/** Options of {@linkcode startReduceEngine}. */
export interface ReduceEngineOptions {
  /**
   * The address at which other hosts reach this rank's server, which encrypts nothing and asks nobody who he is. Default: none, it serves this host
   * alone.
   */
  address?: string;
  /** Chooses the port of this rank's server, once for each try to open it. Default: one that is free at that moment. */
  choosePort?: () => number;
}

const MERGES: Record<ReduceOp, string> = { sum: "Add", mean: "Add", min: "Min", max: "Max", product: "Mul" };
/**
 * Into how many pieces, of about 4 MB, a rank's part of a ring may be cut, so that some travel while others are added. Measured with two ranks: 64 MB take less
 * than half the time of whole parts; more pieces gain nothing.
 */
const MOST_PIECES = 8;
const CANCELLED = 1;
/** Who is to blame, in what gRPC says. */
const TASK = /\/job:worker\/replica:0\/task:(\d+)/;

/**
 * Starts TensorFlow's distributed runtime as what reduces arrays between ranks: a gRPC server in each, which pass arrays around a ring; on GPUs NCCL does. It
 * has a context of its own, so that nothing that goes wrong in it touches the tensors of the accelerator.
 *
 * TensorFlow cannot end a server: its port stays open until the process ends.
 * @throws Error if a server does not start, with five ports in turn, or cannot be closed to the network; RankFailedError if it is another rank's
 */
export async function startReduceEngine(
  { library, config }: EngineRuntime,
  group: ProcessGroup,
  options: ReduceEngineOptions = {},
): Promise<ReduceEngine> {
  const { address } = options;
  if (address === undefined && Deno.build.os !== "linux") {
    throw new Error(
      'processGroup: "tensorflow" opens a server without encryption, and only on Linux can it be closed to the network: leave `processGroup` out',
    );
  }
  const runtime = await openServers({ library, config }, group, {
    address,
    choosePort: options.choosePort ?? freePort,
  });
  return new TensorflowReduceEngine(library, group, runtime);
}

class TensorflowReduceEngine implements ReduceEngine {
  readonly #library: OpenedLibrary;
  readonly #group: ProcessGroup;
  readonly #status: Status;
  readonly #context: Context;
  /** The number of the reduction, by which the ranks' runtimes tell one from the next. */
  #instance = 0;
  #isClosed = false;

  constructor(library: OpenedLibrary, group: ProcessGroup, { status, context }: { status: Status; context: Context }) {
    this.#library = library;
    this.#group = group;
    this.#status = status;
    this.#context = context;
  }

  /** TensorFlow keeps integers off GPUs. */
  takes(data: NumberArray): boolean {
    return !this.#context.onGpu || !(data instanceof Int32Array);
  }

  async allReduce(data: NumberArray, op: ReduceOp): Promise<void> {
    const { api } = this.#library;
    const handles: Deno.PointerValue[] = [];
    try {
      const array = this.#handle([data.length], data as NumericArray);
      handles.push(array);
      const scalars = [this.#group.worldSize, 1, ++this.#instance].map((n) => this.#handle([], Int32Array.of(n)));
      handles.push(...scalars);
      const reduced = await this.#execute(attributes(op, data, this.#context.onGpu), [
        this.#toDevice(array, handles),
        ...scalars,
      ]);
      handles.push(reduced);
      copyHandle(api, this.#status, reduced, data as NumericArray);
    } finally {
      for (const handle of handles) api.TFE_DeleteTensorHandle(handle);
    }
  }

  cancel(reason: Error): void {
    const { api } = this.#library;
    const status = new Status(api);
    api.TF_SetStatus(status.pointer, CANCELLED, new TextEncoder().encode(`${reason.message}\0`));
    api.TFE_AbortCollectiveOps(this.#context.pointer, status.pointer);
    status[Symbol.dispose]();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#context[Symbol.dispose]();
    this.#status[Symbol.dispose]();
  }

  #handle(shape: number[], values: NumericArray): Deno.PointerValue {
    return numericHandle(this.#library, this.#status, { shape, dataType: dataTypeOf(values), values });
  }

  #toDevice(handle: Deno.PointerValue, made: Deno.PointerValue[]): Deno.PointerValue {
    const { pointer, device, onGpu } = this.#context;
    if (!onGpu) return handle;
    const copy = this.#library.api.TFE_TensorHandleCopyToDevice(handle, pointer, device, this.#status.pointer);
    this.#status.check("cannot copy an array to its device");
    made.push(copy);
    return copy;
  }

  /** Runs the op on a thread: it waits for other processes, while the event loop goes on. */
  async #execute(given: OpAttribute[], inputs: Deno.PointerValue[]): Promise<Deno.PointerValue> {
    const { api } = this.#library;
    const name = "CollectiveReduceV2", status = new Status(api);
    let op: Deno.PointerValue = null;
    try {
      op = api.TFE_NewOp(this.#context.pointer, cString(name), status.pointer);
      status.check(`op ${name}`);
      for (const input of inputs) {
        api.TFE_OpAddInput(op, input, status.pointer);
        status.check(`op ${name}`);
      }
      const setters = eagerSetters(api, status);
      for (const attribute of given) setAttribute(setters, op, attribute);
      const outputs = new BigUint64Array(1);
      await api.TFE_ExecuteLater(op, outputs, Int32Array.of(1), status.pointer);
      status.check(`op ${name}`);
      return Deno.UnsafePointer.create(outputs[0]);
    } catch (error) {
      throw this.#explain(error as Error);
    } finally {
      if (op) api.TFE_DeleteOp(op);
      status[Symbol.dispose]();
    }
  }

  /** A rank that gRPC cannot reach has ended: all were there when the reduction began. */
  #explain(error: Error): Error {
    const task = TASK.exec(error.message);
    if (error.cause !== "UNAVAILABLE" || !task) return error;
    const rank = Number(task[1]);
    return new RankFailedError(
      `rank ${rank} failed while TensorFlow reduced an array with it: its connection broke`,
      { rank, operation: "allReduce" },
      { cause: error },
    );
  }
}

function attributes(op: ReduceOp, data: NumberArray, onGpu: boolean): OpAttribute[] {
  const text = (name: string, value: string) => ({ name, type: AttributeType.STRING, value });
  const integer = (name: string, value: number) => ({ name, type: AttributeType.INT, value });
  return [
    { name: "T", type: AttributeType.TYPE, value: dataTypeOf(data as NumericArray) },
    text("merge_op", MERGES[op]),
    text("final_op", op === "mean" ? "Div" : "Id"),
    text("communication_hint", onGpu ? "nccl" : "ring"),
    integer("Nordering_token", 0),
    integer("max_subdivs_per_device", MOST_PIECES),
  ];
}

function dataTypeOf(values: NumericArray): number {
  if (values instanceof Float64Array) return DataType.DOUBLE;
  return values instanceof Int32Array ? DataType.INT32 : DataType.FLOAT;
}
