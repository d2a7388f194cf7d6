/** Updates that `optimizer.step()` began and that are on their way from other ranks: until somebody has awaited them the weights are of no step. */
export class PendingUpdates {
  readonly #pending = new Set<Promise<void>>();

  /** What `optimizer.step()` returns. It counts as pending until it was awaited, however early it is done, so that it is missed on every run or on none. */
  add(update: Promise<void>): PromiseLike<void> {
    this.#pending.add(update);
    update.catch(() => {});
    return {
      then: (onDone, onFailed) => update.finally(() => this.#pending.delete(update)).then(onDone, onFailed),
    };
  }

  /** @throws Error if there are any */
  check(what: string): void {
    if (this.#pending.size === 0) return;
    throw new Error(
      `${what} came before the step of the optimizer was over: with this strategy parameters travel between the ranks in it. ` +
        "Write `await optimizer.step()`.",
    );
  }
}
