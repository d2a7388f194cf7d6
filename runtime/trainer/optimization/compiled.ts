import type { Session } from "../session.ts";
import { optimize, type Window } from "./automatic.ts";
import { usesParameter } from "./uses_parameter.ts";
import { warn } from "../../core/messages.ts";
import { tf } from "../../tensor/tf.ts";

/** Trains on one batch. See {@linkcode optimize}. */
export type Optimize = (batch: unknown, batchIdx: number, window: Window) => ReturnType<typeof optimize>;

/** What runs within a training step. A recording would leave out whatever these do besides computing. */
const HOOKS_IN_STEP = [
  "onBeforeZeroGrad",
  "optimizerZeroGrad",
  "onBeforeBackward",
  "backward",
  "onAfterBackward",
  "onBeforeOptimizerStep",
  "configureGradientClipping",
  "optimizerStep",
];

/** How a batch of automatic optimization is trained on: as one compiled step where that is possible, else op by op. */
export function optimizeFor(session: Session): Optimize {
  const { fabric, hooks, config } = session;
  const plain: Optimize = (batch, batchIdx, window) => optimize(session, batch, batchIdx, window);
  if (config.compile === false || config.detectAnomaly || session.optimizers.length === 0) return plain;
  if (tf.getBackend() !== "tensorflow") return plain;
  const obstacle = obstacleIn(session);
  if (obstacle) {
    warn(
      "step-not-compiled",
      `\`trainingStep\` runs op by op, because ${obstacle}. docs/compiled_steps.md tells what can be compiled; ` +
        "`compile: false` is the same without this warning",
    );
    return plain;
  }
  const step = fabric.compile(
    (batch: unknown, window: Window) => optimize(session, batch, session.progress.batch, window),
    { compile: config.compile === "auto" && config.deterministic ? "exact" : config.compile, name: "trainingStep" },
  );
  return (batch, _, window) => hooks.module("compiledStep", () => step(batch, window));
}

/** Why the step cannot be recorded, as far as that is known before it ran; in words that follow "because". */
function obstacleIn({ module, hooks }: Session): string | undefined {
  const hook = HOOKS_IN_STEP.find((name) => hooks.has(name));
  if (hook) return `\`${hook}\` is called in the middle of it`;
  if (usesParameter(module.trainingStep, 1)) return "it takes `batchIdx`, which is another number in every step";
  return undefined;
}
