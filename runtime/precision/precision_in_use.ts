/** A precision that an accelerator computes in, from when it was asked for until this is disposed of. */
export interface PrecisionInUse extends Disposable {
  /**
   * Calls `f` with the ops that gain from it computed in half precision, if the precision is a mixed one; else just calls it. For an async
   * function that holds until its promise settles, also for what else computes meanwhile.
   */
  readonly autocast: <T>(f: () => T) => T;
}

/** Computing as it comes: float32. */
export const fullPrecision: PrecisionInUse = { autocast: (f) => f(), [Symbol.dispose]() {} };
