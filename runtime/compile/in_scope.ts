import { engineState, isKept, setKept } from "../tensor/engine.ts";
import { TensorScope } from "../tensor/scope.ts";
import type { tf } from "../tensor/tf.ts";
import { tensorsIn } from "../tensor/tree.ts";

/** Runs a step in a scope of its own. The tensors that it returns go over to the scope around the call; all else that it made is freed. */
export async function inScope<T>(step: () => T | Promise<T>): Promise<T> {
  const scope = TensorScope.open("compiled step");
  const moving: tf.Tensor[] = [];
  try {
    const returned = await step();
    moving.push(...new Set(tensorsIn(returned).filter((tensor) => !tensor.isDisposed && !isKept(tensor))));
    return returned;
  } finally {
    for (const tensor of moving) setKept(tensor, true);
    scope.close();
    for (const tensor of moving) {
      setKept(tensor, false);
      track(tensor);
    }
  }
}

function track(tensor: tf.Tensor): void {
  const { activeScope, scopeStack } = engineState();
  if (!activeScope || scopeStack.some(({ track }) => track.includes(tensor))) return;
  activeScope.track.push(tensor);
  (tensor as unknown as { scopeId: number }).scopeId = activeScope.id;
}
