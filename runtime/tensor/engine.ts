import { tf } from "./tf.ts";

/** One recorded operation of TensorFlow.js's tape. */
export interface TapeNode {
  readonly id: number;
  readonly kernelName: string;
  readonly inputs: Record<string, tf.Tensor>;
  readonly outputs: tf.Tensor[];
  /** Missing for operations that have no gradient. Takes the gradients of the outputs, gives functions for those of the inputs. */
  readonly gradient?: (dys: (tf.Tensor | null)[]) => Record<string, () => tf.Tensor>;
  /** Clones that the gradient needs; the tape owns them. */
  readonly saved: tf.Tensor[];
}

/** What is tracked between the start and the end of a scope. */
export interface EngineScope {
  readonly id: number;
  readonly name: string;
  track: tf.Tensor[];
}

/** The part of the state of TensorFlow.js 4.22's engine that tape and scopes work on. Not public there, hence pinned here in one place. */
export interface EngineState {
  activeTape: TapeNode[] | null;
  gradientDepth: number;
  activeScope: EngineScope | null;
  scopeStack: EngineScope[];
}

/** The live state of the process's engine. */
export function engineState(): EngineState {
  return tf.engine().state as unknown as EngineState;
}

/** The id of the scope that a tensor is tracked in (or was, if that has ended). */
export function scopeIdOf(tensor: tf.Tensor): number | undefined {
  return (tensor as unknown as { scopeId?: number }).scopeId;
}

/** True for tensors that scopes leave alone. */
export function isKept(tensor: tf.Tensor): boolean {
  return (tensor as unknown as { kept: boolean }).kept;
}

/** Sets or clears the mark by which scopes leave a tensor alone. */
export function setKept(tensor: tf.Tensor, kept: boolean): void {
  (tensor as unknown as { kept: boolean }).kept = kept;
}
