/** Whether a hook's values are of a step or of an epoch, and which of the two it may choose. */
export interface LogRule {
  readonly onStep: boolean;
  readonly onEpoch: boolean;
  /** A hook of an epoch has no step to log for. */
  readonly epochOnly: boolean;
}

const STEP: LogRule = { onStep: true, onEpoch: false, epochOnly: false };
const EVALUATION_STEP: LogRule = { onStep: false, onEpoch: true, epochOnly: false };
const EPOCH: LogRule = { onStep: false, onEpoch: true, epochOnly: true };

/** Where `log` may be called, and what it means there. */
const RULES: Readonly<Record<string, LogRule>> = {
  trainingStep: STEP,
  onTrainBatchStart: STEP,
  onTrainBatchEnd: STEP,
  onBeforeBackward: STEP,
  onAfterBackward: STEP,
  onBeforeOptimizerStep: STEP,
  onBeforeZeroGrad: STEP,
  backward: STEP,
  optimizerStep: STEP,
  optimizerZeroGrad: STEP,
  configureGradientClipping: STEP,
  clipGradients: STEP,
  validationStep: EVALUATION_STEP,
  testStep: EVALUATION_STEP,
  onValidationBatchStart: EVALUATION_STEP,
  onValidationBatchEnd: EVALUATION_STEP,
  onTestBatchStart: EVALUATION_STEP,
  onTestBatchEnd: EVALUATION_STEP,
  onTrainStart: EPOCH,
  onTrainEpochStart: EPOCH,
  onTrainEpochEnd: EPOCH,
  onValidationStart: EPOCH,
  onValidationEpochStart: EPOCH,
  onValidationEpochEnd: EPOCH,
  onTestStart: EPOCH,
  onTestEpochStart: EPOCH,
  onTestEpochEnd: EPOCH,
};

/** @throws Error if `log` means nothing in that hook */
export function logRule(hook: string | undefined): LogRule {
  const rule = hook === undefined ? undefined : RULES[hook];
  if (rule) return rule;
  throw new Error(
    `You can't \`this.log()\` ${hook === undefined ? "outside the Trainer's loops" : `inside \`${hook}\``}. ` +
      "You can still log directly to the logger: `this.trainer.logger?.logMetrics({ name: value }, step)`",
  );
}
