import { setKept } from "./engine.ts";
import { noGrad } from "./tape.ts";
import { tf } from "./tf.ts";

const gradients = new WeakMap<tf.Variable, tf.Tensor>();

/** The gradient that has been accumulated for a variable; undefined if there is none. It stays this module's: do not dispose it. */
export function gradientOf(variable: tf.Variable): tf.Tensor | undefined {
  return gradients.get(variable);
}

/**
 * Adds to the gradient of a variable. Takes the tensor over: no scope frees it any more, {@linkcode zeroGradients} does.
 * @throws RangeError if its shape is not the variable's
 */
export function accumulateGradient(variable: tf.Variable, gradient: tf.Tensor): void {
  const sum = gradients.get(variable);
  if (!sum) return setGradient(variable, gradient);
  checkShape(variable, gradient);
  gradients.set(variable, noGrad(() => tf.keep(tf.add(sum, gradient))));
  sum.dispose();
  gradient.dispose();
}

/** Replaces the gradient of a variable, and frees the old one. Takes the tensor over, as {@linkcode accumulateGradient} does. */
export function setGradient(variable: tf.Variable, gradient: tf.Tensor): void {
  checkShape(variable, gradient);
  const old = gradients.get(variable);
  if (old !== gradient) old?.dispose();
  setKept(gradient, true);
  gradients.set(variable, gradient);
}

/** Forgets and frees the gradients of these variables. */
export function zeroGradients(variables: Iterable<tf.Variable>): void {
  for (const variable of variables) {
    gradients.get(variable)?.dispose();
    gradients.delete(variable);
  }
}

function checkShape(variable: tf.Variable, gradient: tf.Tensor): void {
  if (tf.util.arraysEqual(gradient.shape, variable.shape)) return;
  throw new RangeError(
    `The gradient of variable ${variable.name} must have its shape [${variable.shape}], but has [${gradient.shape}]`,
  );
}
