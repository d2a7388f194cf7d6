import type { Item } from "./feed.ts";
import type { ReadRequest, ThrownInWorker, WorkerAnswer, WorkerSetup } from "./worker_messages.ts";

interface Waiting {
  worker: number;
  resolve(item: Item | undefined): void;
  reject(error: Error): void;
}

/** Options of {@linkcode WorkerPool}. */
export interface WorkerPoolOptions {
  /** How many workers. */
  size: number;
  /** How long to wait for a batch, in milliseconds; 0 for ever. */
  timeoutMs: number;
  /** What worker `w` is told as it starts. */
  setup(w: number): WorkerSetup;
}

/** Worker threads that read a loader's batches. They keep the process alive while they are open. */
export class WorkerPool implements Disposable {
  readonly size: number;
  readonly #timeoutMs: number;
  readonly #workers: Worker[];
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #failed: Error | undefined;

  constructor(options: WorkerPoolOptions) {
    this.size = options.size;
    this.#timeoutMs = options.timeoutMs;
    this.#workers = Array.from({ length: options.size }, (_, w) => {
      const worker = new Worker(new URL("./loader_worker.ts", import.meta.url), {
        type: "module",
        name: `loader ${w}`,
      });
      worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => this.#answered(data);
      worker.onerror = (event) => {
        event.preventDefault();
        this.#fail(w, new Error(`worker ${w} of the DataLoader ended: ${event.message}`, { cause: event.error }));
      };
      worker.onmessageerror = () =>
        this.#fail(w, new TypeError(`worker ${w} of the DataLoader sent what cannot be cloned`));
      worker.postMessage(options.setup(w));
      return worker;
    });
  }

  /** Has a batch read by the worker whose turn it is. Undefined after the last one of an iterable dataset. */
  read(request: Omit<ReadRequest, "id" | "kind">): Promise<Item | undefined> {
    if (this.#failed) return Promise.reject(this.#failed);
    const id = ++this.#lastId;
    const worker = request.k % this.size;
    const { promise, resolve, reject } = Promise.withResolvers<Item | undefined>();
    this.#waiting.set(id, { worker, resolve, reject });
    this.#workers[worker].postMessage({ kind: "read", id, ...request } satisfies ReadRequest);
    if (this.#timeoutMs === 0) return promise;
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      reject(
        new Error(
          `worker ${worker} of the DataLoader gave no batch ${request.k} in ${this.#timeoutMs} ms; raise \`timeoutMs\`, ` +
            "or look for what the dataset's get() waits for",
        ),
      );
    }, this.#timeoutMs);
    return promise.finally(() => clearTimeout(timer));
  }

  /** Ends the workers. Batches that are still waited for are given up. */
  close(): void {
    for (const worker of this.#workers) worker.terminate();
    const closed = new Error("the DataLoader was closed");
    for (const { reject } of this.#waiting.values()) reject(closed);
    this.#waiting.clear();
    this.#failed ??= closed;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #answered(answer: WorkerAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (!waiting) return;
    if ("error" in answer) waiting.reject(rebuild(answer.error, waiting.worker));
    else waiting.resolve(answer.batch === undefined ? undefined : { batch: answer.batch });
  }

  #fail(worker: number, error: Error): void {
    this.#failed ??= error;
    for (const [id, waiting] of this.#waiting) {
      if (waiting.worker !== worker) continue;
      this.#waiting.delete(id);
      waiting.reject(error);
    }
  }
}

/** The error of a worker, with its stack there as the cause. */
function rebuild(thrown: ThrownInWorker, worker: number): Error {
  const cause = Object.assign(new Error(thrown.message), { name: thrown.name });
  if (thrown.stack) cause.stack = thrown.stack;
  const what = thrown.sample === undefined ? "a batch" : `sample ${thrown.sample}`;
  return new Error(`${what} could not be read in worker ${worker}: ${thrown.name}: ${thrown.message}`, { cause });
}
