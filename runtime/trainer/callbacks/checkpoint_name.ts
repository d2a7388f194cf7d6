import { formatNumber } from "./format_number.ts";

/** The end of a checkpoint's file name. */
export const CHECKPOINT_EXTENSION = ".ckpt";

/** Options of {@linkcode checkpointName}. */
export interface CheckpointNameOptions {
  /** Write `name=` before each value. Default: true. */
  autoInsertMetricName?: boolean;
  /** Counted up where a file of the name exists; 0 for none. Default: 0. */
  version?: number;
}

/**
 * The file name of a checkpoint: `{epoch}-{val_loss:.2f}` becomes `epoch=3-val_loss=0.25.ckpt`. A metric that is not there counts as 0,
 * and a name with a slash makes a folder unless `autoInsertMetricName` is off.
 * @throws TypeError for a format that is none
 */
export function checkpointName(
  template: string,
  metrics: Readonly<Record<string, number>>,
  options: CheckpointNameOptions = {},
): string {
  const insert = options.autoInsertMetricName ?? true;
  const name = template.replace(/\{([^{}:]*)(?::([^{}]*))?\}/g, (_, metric: string, format: string | undefined) => {
    const value = formatNumber(Object.hasOwn(metrics, metric) ? metrics[metric] : 0, format);
    return insert ? `${metric}=${value}` : value;
  });
  return `${name}${options.version ? `-v${options.version}` : ""}${CHECKPOINT_EXTENSION}`;
}
