import { join, resolve } from "node:path";
import { CheckpointCallback } from "../checkpoint_callback.ts";
import type { Stage } from "../stage.ts";
import type { LightningModule } from "../lightning_module.ts";
import type { Trainer } from "../trainer.ts";
import { info } from "../../core/messages.ts";
import { rejectUnknownOptions } from "../../core/suggest.ts";
import { removeCheckpoint } from "./checkpoint_files.ts";
import { checkName } from "./checks.ts";
import { checkInside } from "../../core/inside.ts";

/** Options of {@linkcode OnExceptionCheckpoint}. */
export interface OnExceptionCheckpointOptions {
  /** Name of the file, without `.ckpt`. Default: `"on_exception"`. */
  filename?: string;
}

/**
 * Saves a checkpoint when a fit fails or is interrupted, and removes it once a fit has ended well. `fit(model, { ckptPath: "last" })` finds it.
 * With several ranks rank 0 saves what it has, without waiting for the others.
 *
 * @example
 * ```ts
 * const checkpoint = new OnExceptionCheckpoint("checkpoints");
 * console.assert(checkpoint.path.endsWith("on_exception.ckpt"));
 * ```
 */
export class OnExceptionCheckpoint extends CheckpointCallback {
  override readonly dirpath: string;
  /** The file. */
  readonly path: string;
  #isSaved = false;

  /** @throws TypeError for a folder or name that is none */
  constructor(dirpath: string, options: OnExceptionCheckpointOptions = {}) {
    super();
    rejectUnknownOptions("OnExceptionCheckpoint", options, ["filename"]);
    const { filename = "on_exception" } = options;
    checkName("OnExceptionCheckpoint", "dirpath", dirpath);
    checkName("OnExceptionCheckpoint", "filename", filename);
    checkInside("OnExceptionCheckpoint({ filename })", filename);
    this.dirpath = resolve(dirpath);
    this.path = join(this.dirpath, `${filename}.ckpt`);
  }

  override get bestModelPath(): string {
    return "";
  }
  override get lastModelPath(): string {
    return this.#isSaved ? this.path : "";
  }

  override async onException(trainer: Trainer, _module: LightningModule, _error: unknown): Promise<void> {
    if (trainer.task !== "fit" || trainer.fastDevRun > 0) return;
    await trainer.saveCheckpoint(this.path, { thisRankOnly: !trainer.interrupted });
    this.#isSaved = true;
    info(`Saved checkpoint to ${this.path}`);
  }

  override async teardown(trainer: Trainer, _module: LightningModule, stage: Stage): Promise<void> {
    if (stage !== "fit" || trainer.interrupted || !trainer.isGlobalZero) return;
    await removeCheckpoint(this.path);
    this.#isSaved = false;
  }
}
