import type { Logger } from "../loggers/logger.ts";
import { tf } from "../tensor/tf.ts";

/** Gives metrics to loggers in the order they were logged in, reading tensors back without blocking the step. */
export class MetricLog {
  readonly #loggers: readonly Logger[];
  #last: Promise<void> = Promise.resolve();

  constructor(loggers: readonly Logger[]) {
    this.#loggers = loggers;
  }

  /** Resolves when the loggers have the metrics. @throws TypeError for what is no single number */
  async write(metrics: Readonly<Record<string, number | tf.Tensor>>, step?: number): Promise<void> {
    for (const [name, value] of Object.entries(metrics)) {
      if (typeof value === "number" || (value instanceof tf.Tensor && value.size === 1)) continue;
      throw new TypeError(
        value instanceof tf.Tensor
          ? `\`${name}\` has ${value.size} elements, but a metric is one number: log \`value.mean()\``
          : `\`${name}\` is ${typeof value}, but a metric must be a number or a tensor with one element`,
      );
    }
    if (this.#loggers.length === 0) return;
    if (step !== undefined && !Number.isFinite(step)) {
      throw new RangeError(`the step must be a finite number, but got ${step}`);
    }
    // Read at once, while the caller's tensors live; handed on in order.
    const reading = Promise.all(
      Object.entries(metrics).map(async ([name, value]) =>
        [name, typeof value === "number" ? value : Number((await value.data())[0])] as const
      ),
    );
    const before = this.#last;
    const handOn = (async () => {
      const read = Object.fromEntries(await reading);
      await before;
      for (const logger of this.#loggers) logger.logMetrics(read, step);
    })();
    this.#last = handOn.catch(() => {});
    await handOn;
  }

  /** Resolves when all is written. */
  async flush(): Promise<void> {
    await this.#last;
    await Promise.all(this.#loggers.map((logger) => logger.save()));
  }
}
