import type { Context } from "./context.ts";
import { EagerOps, type HandleCall } from "./eager_ops.ts";
import type { Status } from "./status.ts";
import { type Api, cString } from "./symbols.ts";

/**
 * How many calls may wait or run at once before the next one blocks. With one that runs and one that waits TensorFlow is never idle; more
 * would only hold more batches in memory.
 */
const MOST_IN_FLIGHT = 2;

/** One of them comes before a process ends by itself: at its end, at `Deno.exit`, and at an error that nobody catches. */
const LAST_EVENTS = ["unload", "error", "unhandledrejection"];

/**
 * Executes ops and functions on a thread of TensorFlow's own, one after the other, while the program goes on: an asynchronous TFE_Executor.
 * What they give are handles at once, whose values come later; whoever reads one waits for it. A call that fails leaves
 * handles that throw its error when they are read, and makes those behind it fail alike.
 */
export class Later implements Disposable {
  readonly #api: Api;
  readonly #status: Status;
  readonly #context: Context;
  readonly #ops: EagerOps;
  readonly #atOnce: Deno.PointerValue;
  readonly #executor: Deno.PointerValue;
  readonly #settle = () => this.settle();

  constructor(api: Api, status: Status, context: Context) {
    this.#api = api;
    this.#status = status;
    this.#context = context;
    this.#ops = new EagerOps(api, status, context);
    this.#atOnce = api.TFE_ContextGetExecutorForThread(context.pointer);
    this.#executor = api.TFE_NewExecutor(1, 1, MOST_IN_FLIGHT);
    // The library's destructors must not run under a call.
    for (const event of LAST_EVENTS) addEventListener(event, this.#settle);
  }

  /**
   * Blocks while two calls are not done.
   * @throws Error if an earlier call has failed, with its message; the next is taken again
   */
  execute(name: string, call: HandleCall): Deno.PointerValue[] {
    this.#use(this.#executor);
    try {
      return this.#ops.execute(name, call);
    } catch (error) {
      this.settle();
      throw error;
    } finally {
      this.#use(this.#atOnce);
    }
  }

  /** Waits until all calls have run, and forgets that one has failed. */
  settle(): void {
    this.#api.TFE_ExecutorWaitForAllPendingNodes(this.#executor, this.#status.pointer);
    this.#api.TFE_ExecutorClearError(this.#executor);
    this.#api.TF_SetStatus(this.#status.pointer, 0, cString(""));
  }

  /** As `EagerOps.forget`, once all calls have run. */
  forget(name: string): void {
    this.settle();
    this.#ops.forget(name);
  }

  /** Waits for what runs. */
  [Symbol.dispose](): void {
    for (const event of LAST_EVENTS) removeEventListener(event, this.#settle);
    this.settle();
    this.#ops[Symbol.dispose]();
    this.#api.TFE_DeleteExecutor(this.#executor);
    this.#api.TFE_DeleteExecutor(this.#atOnce);
  }

  #use(executor: Deno.PointerValue): void {
    this.#api.TFE_ContextSetExecutorForThread(this.#context.pointer, executor);
  }
}
