import type { Session } from "./session.ts";

/** Gives the hyperparameters of model and data module to the loggers. @throws Error if both have one of a name with different values */
export function logHyperparameters({ module, datamodule, config, fabric }: Session): void {
  if (!config.enableAutologHparams || !fabric.isGlobalZero) return;
  const params: Record<string, unknown> = {};
  if (datamodule?.hasHyperparameters && datamodule.logsHyperparameters) Object.assign(params, datamodule.hparams);
  if (module.hasHyperparameters && module.logsHyperparameters) {
    const clashing = Object.keys(module.hparams).filter((name) =>
      name in params && JSON.stringify(params[name]) !== JSON.stringify(module.hparams[name])
    );
    if (clashing.length > 0) {
      throw new Error(
        `Error while merging hparams: the keys ${
          clashing.join(", ")
        } are present in both the LightningModule's and LightningDataModule's ` +
          "hparams but have different values.",
      );
    }
    Object.assign(params, module.hparams);
  }
  if (Object.keys(params).length === 0) return;
  for (const logger of fabric.loggers) logger.logHyperparams(params);
}
