import { gradientOf, setGradient } from "../tensor/gradients.ts";
import { stepRecorder } from "../tensor/step_recording.ts";
import { noGrad } from "../tensor/tape.ts";
import { tf } from "../tensor/tf.ts";
import { checkNumber } from "./optimizer_state.ts";

/** Options of {@linkcode clipGradientsByNorm}. */
export interface ClipByNormOptions {
  /** The norm that the gradients have at most afterwards. */
  maxNorm: number;
  /** Which norm: a number from 1, or Infinity for the largest absolute value. Default: 2. */
  normType?: number;
  /** Throw if the norm is NaN or infinite, and leave the gradients as they are. Default: false. */
  errorIfNonfinite?: boolean;
}

/**
 * Scales the gradients of all these variables together by one factor, so that their norm is at most `maxNorm`. Computed as in PyTorch:
 * the factor is min(1, maxNorm / (norm + 1e-6)). Reads one number back.
 *
 * @returns the norm before; 0 if no variable has a gradient
 * @throws RangeError if an option is out of range
 * @throws Error if the norm is not finite and `errorIfNonfinite` is given
 */
export async function clipGradientsByNorm(
  variables: readonly tf.Variable[],
  options: ClipByNormOptions,
): Promise<number> {
  const { maxNorm, normType = 2, errorIfNonfinite = false } = options;
  checkNumber("maxNorm", maxNorm);
  if (!(normType >= 1)) {
    throw new RangeError(`\`normType\` must be a number from 1 or Infinity, but got ${String(normType)}`);
  }
  const withGradient = variables.filter((variable) => gradientOf(variable));
  if (withGradient.length === 0) return 0;
  const recorder = stepRecorder();
  const inspect = (norm: number) => {
    if (!errorIfNonfinite || Number.isFinite(norm)) return;
    throw new Error(
      `The norm of the gradients is ${norm}, so they cannot be clipped: lower the learning rate or look for what made them so, or pass ` +
        "errorIfNonfinite: false to go on",
    );
  };
  const total = noGrad(() =>
    tf.tidy(() => tf.keep(totalNorm(withGradient.map((variable) => gradientOf(variable)!), normType)))
  );
  try {
    if (errorIfNonfinite) recorder?.check(total, inspect);
    const norm = recorder ? recorder.unseen(() => total.dataSync()[0]) : (await total.data())[0];
    inspect(norm);
    // A step that is recorded always scales, since the next one may have to.
    if (recorder || Math.min(1, maxNorm / (norm + 1e-6)) !== 1) {
      noGrad(() =>
        tf.tidy(() => {
          // A norm that is not a number makes a factor that is none, as it should: the gradients stay recognisably broken.
          const factor = tf.minimum(tf.div(maxNorm, tf.add(total, 1e-6)), 1);
          scale(withGradient, (gradient) => tf.mul(gradient, factor));
        })
      );
    }
    return norm;
  } finally {
    total.dispose();
  }
}

/**
 * Limits every value of the gradients of these variables to the range from −`clipValue` to `clipValue`.
 * @throws RangeError if `clipValue` is not a number from 0
 */
export function clipGradientsByValue(variables: readonly tf.Variable[], clipValue: number): void {
  checkNumber("clipValue", clipValue);
  const withGradient = variables.filter((variable) => gradientOf(variable));
  scale(withGradient, (gradient) => tf.clipByValue(gradient, -clipValue, clipValue));
}

function totalNorm(gradients: readonly tf.Tensor[], normType: number): tf.Scalar {
  if (normType === Infinity) return tf.max(tf.stack(gradients.map((gradient) => tf.max(tf.abs(gradient)))));
  if (normType === 2) {
    const squares = gradients.map((gradient) => tf.sum(tf.square(gradient)) as tf.Scalar);
    return tf.sqrt(tf.addN(squares));
  }
  const powers = gradients.map((gradient) => tf.sum(tf.pow(tf.abs(gradient), normType)) as tf.Scalar);
  return tf.pow(tf.addN(powers), 1 / normType);
}

function scale(variables: readonly tf.Variable[], change: (gradient: tf.Tensor) => tf.Tensor): void {
  noGrad(() =>
    tf.tidy(() => {
      for (const variable of variables) setGradient(variable, change(gradientOf(variable)!));
    })
  );
}
