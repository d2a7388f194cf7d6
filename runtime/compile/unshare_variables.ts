import type { TensorflowBinding } from "../accelerators/tensorflow/binding.ts";
import { gradientOf, setGradient } from "../tensor/gradients.ts";
import type { tf } from "../tensor/tf.ts";
import { idOf, isShared, tensorOf } from "./node_backend.ts";
import { registeredVariables } from "./recorder.ts";

/** Gives every variable and gradient that shares its values with another tensor values of its own, so that they can be told apart. */
export function unshareVariables(binding: TensorflowBinding): void {
  for (const variable of registeredVariables()) {
    if (isShared(variable)) {
      const copy = separate(binding, variable);
      variable.assign(copy);
      copy.dispose();
    }
    const gradient = gradientOf(variable);
    if (gradient && isShared(gradient)) setGradient(variable, separate(binding, gradient));
  }
}

function separate(binding: TensorflowBinding, tensor: tf.Tensor): tf.Tensor {
  return tensorOf(binding.executeOp("Identity", [], [idOf(tensor)], 1)[0]);
}
