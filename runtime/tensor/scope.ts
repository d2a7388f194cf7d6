import { type EngineScope, engineState, isKept, scopeIdOf, setKept } from "./engine.ts";
import { discardTape, tapeBegunAt } from "./tape.ts";
import { nextMoment } from "./moment.ts";
import { tf } from "./tf.ts";

/** How often a tensor is held, and whether it belongs to a scope that frees it. */
interface Hold {
  count: number;
  owned: boolean;
}

const holds = new WeakMap<tf.Tensor, Hold>();

/**
 * A stretch of a program after which the tensors that were made in it are freed, without the program doing anything. Unlike `tf.tidy`
 * it may contain `await`.
 *
 * Closing frees all but variables, what `tf.keep` marks and what {@linkcode hold} marks, and discards a tape that was begun
 * inside and not used. Scopes nest and may be closed in any order; a tensor belongs to the scope that was
 * opened last when it was made. `tf.tidy` works inside; a scope must not be opened inside a `tf.tidy` and left open at its end.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const before = tf.memory().numTensors;
 * const scope = TensorScope.open("step");
 * const x = tf.ones([3]);
 * await x.add(1).data();
 * scope.close();
 * console.assert(tf.memory().numTensors === before && x.isDisposed);
 * ```
 */
export class TensorScope implements Disposable {
  readonly #scope: EngineScope;
  readonly #openedAt = nextMoment();
  #open = true;

  private constructor(name: string) {
    const engine = tf.engine();
    engine.startScope(name);
    this.#scope = engineState().activeScope!;
  }

  /** Opens a scope. @param name what TensorFlow.js's messages call it */
  static open(name: string): TensorScope {
    return new TensorScope(name);
  }

  /** True until it is closed. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Frees what was made since it was opened. A second call does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const tapeBegan = tapeBegunAt();
    if (tapeBegan !== undefined && tapeBegan > this.#openedAt) discardTape();
    const state = engineState();
    const index = state.scopeStack.indexOf(this.#scope);
    // tf.engine().reset() starts over with a new stack and has freed everything.
    if (index < 0) return;
    state.scopeStack.splice(index, 1);
    state.activeScope = state.scopeStack.at(-1) ?? null;
    for (const tensor of this.#scope.track) {
      if (!isKept(tensor)) tensor.dispose();
    }
    this.#scope.track = [];
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Runs `f` in a scope of its own, which ends when it returns or, for an async function, when its promise settles. Tensors it
 * returns are freed with the rest unless held or kept: return numbers.
 */
export function withScope<T>(f: () => T): T {
  const scope = TensorScope.open("withScope");
  let result: T;
  try {
    result = f();
  } catch (error) {
    scope.close();
    throw error;
  }
  if (result instanceof Promise) return result.finally(() => scope.close()) as T;
  scope.close();
  return result;
}

/** Keeps a tensor alive over the ends of scopes, until {@linkcode release} has been called as often. Returns it. */
export function hold<T extends tf.Tensor>(tensor: T): T {
  const held = holds.get(tensor);
  if (held) held.count++;
  else if (!isKept(tensor)) {
    holds.set(tensor, { count: 1, owned: inOpenScope(tensor) });
    setKept(tensor, true);
  }
  return tensor;
}

/** Ends a {@linkcode hold}. With the last one a tensor is freed, if the scope it was made in has ended, or else with that scope. */
export function release(tensor: tf.Tensor): void {
  const held = holds.get(tensor);
  if (!held || --held.count > 0) return;
  holds.delete(tensor);
  setKept(tensor, false);
  // One that no scope owned when it was held is its maker's to dispose.
  if (held.owned && !inOpenScope(tensor)) tensor.dispose();
}

function inOpenScope(tensor: tf.Tensor): boolean {
  const id = scopeIdOf(tensor);
  return id !== undefined && engineState().scopeStack.some((scope) => scope.id === id);
}
