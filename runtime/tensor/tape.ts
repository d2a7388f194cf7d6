import { engineState, isKept, scopeIdOf, setKept, type TapeNode } from "./engine.ts";
import { nextMoment } from "./moment.ts";
import { nodesBetween } from "./tape_nodes.ts";
import { tf } from "./tf.ts";

/** Options of {@linkcode backward}. */
export interface BackwardOptions {
  /** Called as soon as the gradient of a variable is final, in the order in which they become so (last layers first). */
  onGradient?: (variable: tf.Variable, gradient: tf.Tensor) => void;
  /** Keep the recording (and keep recording), so that another loss of the same forward pass can follow. Default: false. */
  retainTape?: boolean;
}

/** What {@linkcode backwardOf} gives. */
export interface BackwardResult {
  /** The value of the closure; the caller's, in the scope around the call. */
  loss: tf.Tensor;
  /** See {@linkcode backward}. */
  gradients: Map<tf.Variable, tf.Tensor>;
}

/** What is being recorded, and since when. */
let open: { readonly nodes: TapeNode[]; readonly begunAt: number } | undefined;
/** How many noGrad calls are under way. */
let paused = 0;
/** The ids of tensors made on the tape that ended last lie between these, to tell a used loss from one that was never recorded. */
let ended: { first: number; last: number; how: "used" | "discarded" } | undefined;

/**
 * Begins to record the operations of TensorFlow.js, over awaits too, until {@linkcode backward} or {@linkcode discardTape}. Does
 * nothing if they are being recorded already. What the recording saves for the gradients stays in memory until then.
 */
export function beginTape(): void {
  const state = engineState();
  if (state.gradientDepth > 0 || paused > 0) return;
  open = { nodes: [], begunAt: nextMoment() };
  state.activeTape = open.nodes;
  state.gradientDepth = 1;
}

/** True between {@linkcode beginTape} and {@linkcode backward}. */
export function isRecording(): boolean {
  return open !== undefined && paused === 0;
}

/** The moment at which the open tape was begun, for scopes. */
export function tapeBegunAt(): number | undefined {
  return open?.begunAt;
}

/** Ends the recording without using it and frees what it saved. */
export function discardTape(): void {
  if (open) freeSaved(endTape("discarded"));
}

/**
 * The gradients of `loss` with respect to `variables`, from the operations recorded since {@linkcode beginTape}. Ends the recording
 * and frees what it saved, unless `retainTape` is given. It is itself not recorded.
 *
 * @param loss one number, made while recording
 * @returns the gradients of those variables that the loss depends on, each of its variable's shape. The caller owns them: no scope
 * frees them
 * @throws TypeError if the loss is not a single number
 * @throws Error if the loss was not recorded, does not depend on any of the variables, or the recording was used before
 *
 * Source: reverse accumulation over a recorded tape, as in TensorFlow.js's own `tf.grads`, whose rule for each operation is used.
 *
 * @example
 * ```ts
 * import { tf } from "weft";
 * await tf.setBackend("cpu");
 * const w = tf.variable(tf.scalar(3));
 * beginTape();
 * const loss = w.square();
 * await loss.data();
 * const gradients = backward(loss, [w]);
 * console.assert(gradients.get(w)!.dataSync()[0] === 6);
 * ```
 */
export function backward(
  loss: tf.Tensor,
  variables: readonly tf.Variable[],
  options: BackwardOptions = {},
): Map<tf.Variable, tf.Tensor> {
  if (!(loss instanceof tf.Tensor)) {
    throw new TypeError(`backward needs the loss as a tensor, but got ${loss === null ? "null" : typeof loss}`);
  }
  if (loss.size !== 1) {
    throw new TypeError(
      `backward needs a loss of one number, but got a tensor of shape [${loss.shape}]: reduce it first, e.g. loss.mean()`,
    );
  }
  if (!open || paused > 0) throw notRecorded(loss);
  const tape = open.nodes;
  const path = nodesBetween(tape, variables, loss);
  if (path.length === 0) throw notRecorded(loss, tape);
  if (options.retainTape) return noGrad(() => walk(path, loss, variables, options));
  endTape("used");
  try {
    return walk(path, loss, variables, options);
  } finally {
    freeSaved(tape);
  }
}

/**
 * The loss that a closure returns, and its gradients as {@linkcode backward} gives them. Tensors made in the closure are freed, except
 * the loss.
 * @throws TypeError if the closure is async: await what it needs before, or use {@linkcode beginTape} and {@linkcode backward}
 */
export function backwardOf(
  closure: () => tf.Tensor,
  variables: readonly tf.Variable[],
  options: BackwardOptions = {},
): BackwardResult {
  beginTape();
  try {
    const loss = tf.tidy(() => {
      const value = closure();
      if ((value as unknown) instanceof Promise) {
        (value as unknown as Promise<unknown>).catch(() => {});
        throw new TypeError(
          "The closure given to backward returned a promise: await what it needs before, or await the loss and pass that",
        );
      }
      return value;
    });
    return { loss, gradients: backward(loss, variables, options) };
  } catch (error) {
    discardTape();
    throw error;
  }
}

/** Runs `f` without recording, until it returns or, for an async function, until its promise settles. */
export function noGrad<T>(f: () => T): T {
  const state = engineState();
  const { gradientDepth, activeTape } = state, tape = open;
  // Both are put aside, because tf.grads and the like inside `f` start and clear a tape of their own.
  state.gradientDepth = 0;
  state.activeTape = null;
  paused++;
  const restore = () => {
    paused--;
    const endedInside = tape !== open;
    state.gradientDepth = endedInside ? 0 : gradientDepth;
    state.activeTape = endedInside ? null : activeTape;
  };
  let result: T;
  try {
    result = f();
  } catch (error) {
    restore();
    throw error;
  }
  if (result instanceof Promise) return result.finally(restore) as T;
  restore();
  return result;
}

function endTape(how: "used" | "discarded"): TapeNode[] {
  const tape = open!.nodes;
  open = undefined;
  if (paused === 0) {
    const state = engineState();
    state.gradientDepth = 0;
    state.activeTape = null;
  }
  let first = Infinity, last = -Infinity;
  // Not in the order of the tape: what a node saved was made after its outputs, but is listed before.
  for (const { outputs } of tape) {
    for (const { id } of outputs) {
      if (id < first) first = id;
      if (id > last) last = id;
    }
  }
  if (tape.length > 0) ended = { first, last, how };
  return tape;
}

function freeSaved(tape: readonly TapeNode[]): void {
  for (const node of tape) node.saved.forEach((tensor) => tensor.dispose());
}

function notRecorded(loss: tf.Tensor, tape?: readonly TapeNode[]): Error {
  const remedy = "call the model that fabric.setup returned, in train mode, or pass a closure";
  if (tape?.some((node) => node.outputs.some((output) => output.id === loss.id))) {
    return new Error(
      "The loss was recorded but depends on none of the variables: are they all frozen, were they used through another model, or was a " +
        "part of the way from them to the loss computed with dataSync() or before the recording began? Otherwise " +
        remedy,
    );
  }
  if (ended && loss.id >= ended.first && loss.id <= ended.last) {
    return new Error(
      ended.how === "used"
        ? "Another backward has used the recording of this loss already: pass retainTape: true to the first of the two"
        : "The recording of this loss was discarded, because the scope in which it began (a loader's step) had ended: call backward before",
    );
  }
  return new Error(`The operations that led to this loss were not recorded: ${remedy}`);
}

/** Walks from the loss to the variables, freeing each intermediate gradient as soon as it has been passed on. */
function walk(
  path: readonly TapeNode[],
  loss: tf.Tensor,
  variables: readonly tf.Variable[],
  { onGradient, retainTape }: BackwardOptions,
): Map<tf.Variable, tf.Tensor> {
  const wanted = new Map(variables.map((variable) => [variable.id, variable]));
  // A variable's gradient is final once the first operation that used it has been walked.
  const finalAt = new Map<number, number[]>();
  const seen = new Set<number>();
  for (const [index, node] of path.entries()) {
    for (const name in node.inputs) {
      const { id } = node.inputs[name];
      if (!wanted.has(id) || seen.has(id)) continue;
      seen.add(id);
      const final = finalAt.get(index);
      if (final) final.push(id);
      else finalAt.set(index, [id]);
    }
  }
  const pending = new Map<number, tf.Tensor>([[loss.id, tf.keep(tf.ones(loss.shape))]]);
  const gradients = new Map<tf.Variable, tf.Tensor>();
  try {
    for (let index = path.length - 1; index >= 0; index--) {
      const node = path[index];
      const dys = node.outputs.map((output) => pending.get(output.id) ?? null);
      const dxs = inputGradients(node, dys);
      for (const [i, dy] of dys.entries()) {
        dy?.dispose();
        pending.delete(node.outputs[i].id);
      }
      for (const { id, dx } of dxs) add(pending, id, dx);
      if (!retainTape) node.saved.forEach((tensor) => tensor.dispose());
      for (const id of finalAt.get(index) ?? []) {
        const variable = wanted.get(id)!, gradient = pending.get(id)!;
        pending.delete(id);
        gradients.set(variable, gradient);
        onGradient?.(variable, gradient);
      }
    }
  } catch (error) {
    // Those already handed to onGradient are its own.
    if (!onGradient) gradients.forEach((gradient) => gradient.dispose());
    throw error;
  } finally {
    pending.forEach((gradient) => gradient.dispose());
  }
  return gradients;
}

/** What a node passes on to those of its inputs that lead to variables: fresh tensors that nothing else frees. */
function inputGradients(node: TapeNode, dys: (tf.Tensor | null)[]): { id: number; dx: tf.Tensor }[] {
  if (!node.gradient) {
    throw new Error(
      `The operation ${node.kernelName} has no gradient, but lies between the parameters and the loss: compute that part with other ` +
        "operations, or wrap it in tf.customGrad",
    );
  }
  const dxs: { id: number; dx: tf.Tensor }[] = [];
  tf.tidy(() => {
    const scopeId = engineState().activeScope!.id;
    const byName = node.gradient!(dys);
    for (const name in node.inputs) {
      const input = node.inputs[name];
      if (!byName[name]) {
        throw new Error(
          `The gradient of ${node.kernelName} with respect to its input \`${name}\` is not defined by TensorFlow.js`,
        );
      }
      let dx = byName[name]();
      if (dx.dtype !== "float32" || !tf.util.arraysEqual(dx.shape, input.shape)) {
        throw new Error(
          `The gradient of ${node.kernelName} with respect to its input \`${name}\` must be float32 of shape [${input.shape}], but is ` +
            `${dx.dtype} of shape [${dx.shape}]`,
        );
      }
      // A gradient function may hand on what it was given or what it saved; only what it made itself can be freed later.
      if (isKept(dx) || scopeIdOf(dx) !== scopeId) dx = dx.clone();
      setKept(dx, true);
      dxs.push({ id: input.id, dx });
    }
  });
  return dxs;
}

function add(pending: Map<number, tf.Tensor>, id: number, dx: tf.Tensor): void {
  const sum = pending.get(id);
  if (!sum) return void pending.set(id, dx);
  pending.set(id, tf.keep(tf.add(sum, dx)));
  sum.dispose();
  dx.dispose();
}
