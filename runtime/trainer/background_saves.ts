/** Checkpoints that are being written while the training goes on. What goes wrong with one is kept until somebody asks. */
export class BackgroundSaves {
  #pending: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | undefined;

  /** Adds a file that is being written. */
  add(writing: Promise<void>): void {
    this.#pending = Promise.all([this.#pending, writing.catch((error) => void (this.#failure ??= { error }))])
      .then(() => {});
  }

  /** Looks, without waiting. @throws what the writing of a checkpoint failed with, once */
  throwIfFailed(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.error;
  }

  /** Resolves when everything is written. @throws what the writing of a checkpoint failed with, once */
  async settled(): Promise<void> {
    await this.#pending;
    this.throwIfFailed();
  }
}
