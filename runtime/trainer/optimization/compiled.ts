import type { LightningModule } from "../lightning_module.ts";
import type { Session } from "../session.ts";
import { optimize, type Window } from "./automatic.ts";
import { runManually } from "./manual.ts";
import { usesParameter } from "./uses_parameter.ts";
import type { CompileMode } from "../../compile/compile_mode.ts";
import { warnNotCompiled } from "../../compile/warn_not_compiled.ts";
import { noGrad } from "../../tensor/tape.ts";
import { tf } from "../../tensor/tf.ts";

/** Trains on one batch. See {@linkcode optimize} and {@linkcode runManually}, which has no window. */
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

/** How a batch is trained on: as one compiled step where that is possible, else op by op. */
export function optimizeFor(session: Session): Optimize {
  const { fabric, hooks, config, module } = session;
  const plain: Optimize = module.automaticOptimization
    ? (batch, batchIdx, window) => optimize(session, batch, batchIdx, window)
    : (batch, batchIdx) => runManually(session, batch, batchIdx);
  if (!isCompiling(session) || config.detectAnomaly || session.optimizers.length === 0) return plain;
  // Steps of one's own may take turns by a count of their own, which no recording sees: they are compiled if asked for.
  if (!module.automaticOptimization && config.compile === "auto") return plain;
  if (hasObstacle(session, "trainingStep", HOOKS_IN_STEP)) return plain;
  const step = fabric.compile(
    (batch: unknown, window: Window) => plain(batch, session.progress.batch, window),
    { compile: modeOf(session), name: "trainingStep" },
  );
  return (batch, _, window) => hooks.module("compiledStep", () => step(batch, window));
}

/** Runs `validationStep` or `testStep` on one batch. */
export type EvaluationStep = (batch: unknown, batchIdx: number, dataloaderIdx: number) => Promise<unknown>;

/** The step of an evaluation, compiled where that is possible. */
export function evaluationStepFor(session: Session, name: "validationStep" | "testStep"): EvaluationStep {
  const { fabric, hooks, model, config, task } = session;
  const quietly = config.inferenceMode || task === "fit" ? noGrad : <T>(f: () => T) => f();
  const plain: EvaluationStep = (batch, batchIdx, dataloaderIdx) =>
    hooks.module(
      name,
      () => quietly(() => fabric.autocast(() => (model as LightningModule)[name](batch, batchIdx, dataloaderIdx))),
    );
  if (!isCompiling(session) || hasObstacle(session, name, [])) return plain;
  const step = fabric.compile(
    (batch: unknown, dataloaderIdx: number) => plain(batch, 0, dataloaderIdx),
    { compile: modeOf(session), name },
  );
  return (batch, _, dataloaderIdx) => step(batch, dataloaderIdx);
}

function isCompiling({ config }: Session): boolean {
  return config.compile !== false && tf.getBackend() === "tensorflow";
}

function modeOf({ config }: Session): CompileMode {
  return config.compile === "auto" && config.deterministic ? "exact" : config.compile;
}

/** Whether the step cannot be recorded, as far as that is known before it ran. Then it says why. */
function hasObstacle(
  { module, hooks }: Session,
  name: "trainingStep" | "validationStep" | "testStep",
  hooksInStep: readonly string[],
): boolean {
  const hook = hooksInStep.find((name) => hooks.has(name));
  const usesIndex = usesParameter(module[name], 1);
  if (!hook && !usesIndex) return false;
  const why = hook
    ? `\`${hook}\` is called in the middle of it`
    : "it takes `batchIdx`, which is another number in every step";
  warnNotCompiled(name, why);
  return true;
}
