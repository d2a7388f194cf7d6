import { join, resolve } from "node:path";
import type { LightningModule } from "../lightning_module.ts";
import type { AgreedMetric } from "../logging/monitored_metrics.ts";
import type { Stage } from "../stage.ts";
import type { Trainer } from "../trainer.ts";
import { CheckpointCallback } from "../checkpoint_callback.ts";
import { info, warn } from "../../core/messages.ts";
import type { StateDict } from "../../tensor/state.ts";
import { BestCheckpoints } from "./best_checkpoints.ts";
import { aliasCheckpoint, fileExists, isFilled, liesIn, removeCheckpoint } from "./checkpoint_files.ts";
import { checkpointName } from "./checkpoint_name.ts";
import { type CheckpointConfig, type ModelCheckpointOptions, resolveCheckpointOptions } from "./checkpoint_options.ts";
import { decidesAtTrainEpochEnd } from "./validation_timing.ts";

const purpose = "ModelCheckpoint";

/** What rank 0 decides and all ranks do. */
interface SavePlan extends Record<string, unknown> {
  /** The monitored metric is not there. */
  missing: boolean;
  /** Where to save; null if this one is not kept. */
  path: string | null;
  /** The value of the metric. */
  score: number | null;
  /** The checkpoint that gives way. */
  remove: string | null;
  /** Where `last.ckpt` is; null without one. */
  last: string | null;
}

/**
 * Saves checkpoints: the newest, or those with the best value of a metric, after epochs, validations, training steps or a time.
 *
 * It writes in the background, from a copy of the state: `await trainer.checkpointsWritten()` waits for the file. If it cannot be written,
 * the training fails after its next step. A file is complete whenever it is there, and what it replaces is removed only after it. Nothing outside `dirpath` is removed, nor the
 * checkpoint that the run was resumed from. `bestModelPath` and `lastModelPath` are where the best and the newest are.
 *
 * A metric of the validation is never compared with that of an earlier one: a step whose checkpoint is due before the metric is there
 * is saved when the validation has ended.
 *
 * @example
 * ```ts
 * const checkpoint = new ModelCheckpoint({
 *   dirpath: "checkpoints",
 *   filename: "{epoch}-{val_acc:.3f}",
 *   monitor: "val_acc",
 *   mode: "max",
 *   saveTopK: 3,
 * });
 * console.assert(checkpoint.bestModelPath === "");
 * ```
 */
export class ModelCheckpoint extends CheckpointCallback {
  readonly #config: CheckpointConfig;
  readonly #best: BestCheckpoints;
  #dirpath: string | undefined;
  #bestModelPath = "";
  #lastModelPath = "";
  #bestModelScore: number | undefined;
  #currentScore: number | undefined;
  /** The training step that was saved last. */
  #savedStep = 0;
  #checkedAt = 0;
  /** A step's checkpoint waits for the validation. */
  #isDeferred = false;
  #epochStart = 0;
  #hasValidated = false;

  /** @throws TypeError or RangeError for an option that is unknown or impossible */
  constructor(options: ModelCheckpointOptions = {}) {
    super();
    this.#config = resolveCheckpointOptions(options);
    this.#best = new BestCheckpoints(this.#config.saveTopK, this.#config.mode);
    this.#dirpath = options.dirpath === undefined ? undefined : resolve(options.dirpath);
  }

  override get dirpath(): string | undefined {
    return this.#dirpath;
  }
  override get bestModelPath(): string {
    return this.#bestModelPath;
  }
  /** The newest checkpoint: `last.ckpt` with `saveLast`, else what was saved last. */
  override get lastModelPath(): string {
    return this.#lastModelPath;
  }
  /** The monitored metric of the best checkpoint. */
  get bestModelScore(): number | undefined {
    return this.#bestModelScore;
  }
  /** The monitored metric of the newest checkpoint. */
  get currentScore(): number | undefined {
    return this.#currentScore;
  }
  /** The kept checkpoints with their scores. */
  get bestKModels(): ReadonlyMap<string, number> {
    return this.#best.scores;
  }
  get monitor(): string | undefined {
    return this.#config.monitor;
  }

  override get stateKey(): string {
    const { monitor, mode, everyNTrainSteps, everyNEpochs, intervalMs } = this.#config;
    const facts = {
      monitor: monitor ?? null,
      mode,
      everyNTrainSteps,
      everyNEpochs,
      trainTimeInterval: intervalMs ?? null,
    };
    return `ModelCheckpoint${JSON.stringify(facts)}`;
  }

  override stateDict(): StateDict {
    return {
      monitor: this.#config.monitor ?? null,
      dirpath: this.#dirpath ?? null,
      bestModelPath: this.#bestModelPath,
      bestModelScore: this.#bestModelScore ?? null,
      currentScore: this.#currentScore ?? null,
      lastModelPath: this.#lastModelPath,
      savedStep: this.#savedStep,
      best: this.#best.stateDict(),
    };
  }

  override loadStateDict(state: StateDict): void {
    this.#bestModelPath = state.bestModelPath as string;
    this.#savedStep = state.savedStep as number;
    if (this.#dirpath !== undefined && state.dirpath !== this.#dirpath) {
      warn(
        "checkpoint-dirpath-changed",
        `The dirpath has changed from ${state.dirpath} to ${this.#dirpath}: of the checkpoints saved there, only \`bestModelPath\` is remembered.`,
      );
      return;
    }
    this.#bestModelScore = state.bestModelScore as number | null ?? undefined;
    this.#currentScore = state.currentScore as number | null ?? undefined;
    this.#lastModelPath = state.lastModelPath as string;
    this.#best.loadStateDict(state.best as StateDict);
  }

  override async setup(trainer: Trainer, _module: LightningModule, stage: Stage): Promise<void> {
    if (this.#dirpath === undefined) {
      const folder = trainer.isGlobalZero
        ? join(
          trainer.loggers.find(({ logDir }) => logDir !== undefined)?.logDir ?? trainer.defaultRootDir,
          "checkpoints",
        )
        : "";
      this.#dirpath = resolve(
        trainer.fabric.worldSize > 1 ? await trainer.fabric.broadcast(folder, { purpose }) : folder,
      );
    }
    if (stage !== "fit" || trainer.fastDevRun || !trainer.isGlobalZero || this.#config.saveTopK === 0) return;
    const { ckptPath } = trainer;
    if (ckptPath !== undefined && liesIn(this.#dirpath, ckptPath)) return;
    if (await isFilled(this.#dirpath)) {
      warn(`checkpoint-dir:${this.#dirpath}`, `Checkpoint directory ${this.#dirpath} exists and is not empty.`);
    }
  }

  override onTrainStart(trainer: Trainer): void {
    this.#checkedAt = this.#config.now();
    this.#epochStart = trainer.globalStep;
    this.#hasValidated = false;
    this.#isDeferred = false;
  }

  override onTrainEpochStart(trainer: Trainer): void {
    this.#epochStart = trainer.globalStep;
  }

  override async onTrainBatchEnd(trainer: Trainer): Promise<void> {
    if (this.#isIdle(trainer)) return;
    const { everyNTrainSteps, intervalMs, monitor } = this.#config;
    const step = everyNTrainSteps > 0 && trainer.globalStep % everyNTrainSteps === 0;
    if (!step && !(intervalMs !== undefined && this.#isTimeUp(trainer, intervalMs))) return;
    const metric = await this.#monitored(trainer);
    if (monitor !== undefined && trainer.enableValidation && !(metric && metric.step >= trainer.globalStep)) {
      this.#isDeferred = true;
      return;
    }
    await this.#save(trainer, metric);
  }

  override async onValidationEnd(trainer: Trainer): Promise<void> {
    if (trainer.sanityChecking || trainer.task !== "fit") return;
    this.#hasValidated = true;
    if (this.#isIdle(trainer)) return;
    const epoch = !this.#savesOnTrainEpochEnd(trainer) && this.#isEpochDue(trainer);
    if (!this.#isDeferred && !epoch) return;
    this.#isDeferred = false;
    await this.#save(trainer, await this.#monitored(trainer));
  }

  override async onTrainEpochEnd(trainer: Trainer): Promise<void> {
    if (this.#isIdle(trainer) || !this.#savesOnTrainEpochEnd(trainer) || !this.#isEpochDue(trainer)) return;
    const { monitor } = this.#config;
    const metric = await this.#monitored(trainer);
    if (metric && metric.step <= this.#epochStart) {
      warn(
        `checkpoint-stale-metric:${monitor}`,
        `\`ModelCheckpoint({ monitor: "${monitor}" })\` saves nothing at the end of an epoch in which the metric was not computed.`,
      );
      return;
    }
    await this.#save(trainer, metric);
  }

  override async onTrainEnd(trainer: Trainer): Promise<void> {
    if (!this.#config.saveLast || this.#isIdle(trainer)) return;
    // What was trained since the last checkpoint is in no file yet.
    const plan = await this.#agree(trainer, async () => ({
      ...await this.#planLast(),
      missing: false,
      path: null,
      score: null,
      remove: null,
    }));
    await this.#saveAll(trainer, plan);
  }

  override async onException(trainer: Trainer, _module: LightningModule, error: unknown): Promise<void> {
    if (trainer.task !== "fit" || this.#dirpath === undefined || trainer.fastDevRun > 0) return;
    if (trainer.interrupted) return await this.#saveInterrupted(trainer);
    const { saveOnException, weightsOnly } = this.#config;
    if (!saveOnException || !trainer.isGlobalZero || this.#isIdle(trainer)) return;
    await trainer.checkpointsWritten();
    const path = await this.#freePath(trainer, {});
    await trainer.saveCheckpoint(path, { weightsOnly, thisRankOnly: true });
    this.#lastModelPath = path;
    this.#savedStep = trainer.globalStep;
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    info(`${name} was raised with message: ${message}. Saved checkpoint to ${path}`);
  }

  /** The user ended the run: ranks are in step. One file is enough, and it must be one to go on from. */
  async #saveInterrupted(trainer: Trainer): Promise<void> {
    if (trainer.checkpointCallback !== this) return;
    const path = join(this.#dirpath!, "interrupted.ckpt");
    await trainer.saveCheckpoint(path);
    this.#lastModelPath = path;
    info(
      `Interrupted in epoch ${trainer.currentEpoch} after step ${trainer.globalStep}. Continue with ` +
        `\`trainer.fit(model, { ckptPath: ${JSON.stringify(path)} })\``,
    );
  }

  /** Nothing to save: not training, or this step is saved already. */
  #isIdle(trainer: Trainer): boolean {
    return trainer.task !== "fit" || trainer.sanityChecking || trainer.fastDevRun > 0 ||
      trainer.globalStep === this.#savedStep;
  }

  #isEpochDue({ currentEpoch }: Trainer): boolean {
    const { everyNEpochs } = this.#config;
    return everyNEpochs > 0 && (currentEpoch + 1) % everyNEpochs === 0;
  }

  #savesOnTrainEpochEnd(trainer: Trainer): boolean {
    return this.#config.saveOnTrainEpochEnd ?? decidesAtTrainEpochEnd(trainer);
  }

  /** Reads the metrics. What is monitored is the same on all ranks: some may not have it, or that of an earlier step. */
  async #monitored(trainer: Trainer): Promise<AgreedMetric | undefined> {
    const { monitor } = this.#config;
    await trainer.readMetrics();
    return monitor === undefined ? undefined : await trainer.agreedMetric(monitor);
  }

  /** All ranks agree by the gradients of the step, without a message. */
  #isTimeUp(trainer: Trainer, intervalMs: number): boolean {
    const { fabric } = trainer;
    const now = this.#config.now();
    const isUp = fabric.worldSize === 1 ? now - this.#checkedAt >= intervalMs : fabric.agreedFlags.has("checkpoint");
    if (isUp) this.#checkedAt = now;
    else if (fabric.isGlobalZero && now - this.#checkedAt >= intervalMs) fabric.raiseFlag("checkpoint");
    return isUp;
  }

  async #save(trainer: Trainer, metric: AgreedMetric | undefined): Promise<void> {
    const plan = await this.#agree(trainer, () => this.#plan(trainer, metric?.value));
    if (plan.missing) return this.#reportMissing(trainer);
    await this.#saveAll(trainer, plan);
  }

  /** Rank 0 looks at the metric and the folder, the others do as it says. */
  async #agree(trainer: Trainer, decide: () => Promise<SavePlan>): Promise<SavePlan> {
    // What is being written must be there, or known to have failed, before names are chosen.
    await trainer.checkpointsWritten();
    const own = trainer.isGlobalZero ? await decide() : null;
    return (trainer.fabric.worldSize > 1 ? await trainer.fabric.broadcast(own, { purpose }) : own)!;
  }

  /** What is to be done, decided on rank 0. @param score of the monitored metric */
  async #plan(trainer: Trainer, score: number | undefined): Promise<SavePlan> {
    const { monitor, saveTopK } = this.#config;
    const last = await this.#planLast();
    if (monitor === undefined) {
      const remove = saveTopK === 1 && this.#bestModelPath ? this.#bestModelPath : null;
      const path = saveTopK === 0 ? null : await this.#freePath(trainer, { remove });
      return { ...last, missing: false, path, score: null, remove };
    }
    if (score === undefined) return { ...last, missing: true, path: null, score: null, remove: null };
    if (!this.#best.accepts(score)) {
      if (this.#config.verbose) {
        info(
          `Epoch ${trainer.currentEpoch}, global step ${trainer.globalStep}: '${monitor}' was not in top ${saveTopK}`,
        );
      }
      return { ...last, missing: false, path: null, score, remove: null };
    }
    const remove = this.#best.worst?.path ?? null;
    return { ...last, missing: false, path: await this.#freePath(trainer, { remove, score }), score, remove };
  }

  async #planLast(): Promise<{ last: string | null }> {
    if (!this.#config.saveLast) return { last: null };
    return { last: await this.#free(this.#lastModelPath, (version) => checkpointName("last", {}, { version })) };
  }

  #freePath(trainer: Trainer, { remove, score }: { remove?: string | null; score?: number }): Promise<string> {
    return this.#free(remove ?? "", (version) => this.#name(trainer, { version, score }));
  }

  /** A path that no file has, but for the one that is replaced. */
  async #free(replaced: string, name: (version: number) => string): Promise<string> {
    for (let version = 0;; version++) {
      const path = join(this.#dirpath!, name(version));
      if (!this.#config.enableVersionCounter || path === replaced || !(await fileExists(path))) return path;
    }
  }

  #name(trainer: Trainer, { version, score }: { version: number; score: number | undefined }): string {
    const { filename, autoInsertMetricName, monitor } = this.#config;
    // What is monitored may be another rank's, if this one has none of this step.
    const monitored = monitor !== undefined && score !== undefined ? { [monitor]: score } : {};
    const metrics = {
      ...trainer.callbackMetrics,
      ...monitored,
      epoch: trainer.currentEpoch,
      step: trainer.globalStep,
    };
    return checkpointName(filename, metrics, { autoInsertMetricName, version });
  }

  /** Saves, on all ranks, while the training goes on. If that fails, everything is remembered as it was. */
  async #saveAll(trainer: Trainer, { path, score, remove, last }: SavePlan): Promise<void> {
    const { weightsOnly, saveLast } = this.#config;
    const before = this.stateDict();
    const previousLast = this.#lastModelPath;
    this.#note({ path, score, remove, last }, trainer);
    const target = path ?? last;
    if (target === null) return;
    await trainer.saveCheckpoint(target, {
      weightsOnly,
      background: true,
      onFailed: () => this.loadStateDict(before),
      // The new file must be whole before an old one goes.
      onWritten: async () => {
        if (path === null) return;
        if (last !== null) {
          await aliasCheckpoint(path, last, saveLast === "link" ? "link" : "same");
          if (previousLast && previousLast !== last) await this.#removeOld(trainer, previousLast, last);
        }
        if (remove !== null) await this.#removeOld(trainer, remove, path);
      },
    });
  }

  #note({ path, score, remove, last }: Omit<SavePlan, "missing">, trainer: Trainer): void {
    const { monitor, saveTopK, verbose } = this.#config;
    this.#savedStep = trainer.globalStep;
    if (score !== null) this.#currentScore = this.#best.comparable(score as number);
    if (path !== null && monitor === undefined) this.#bestModelPath = path as string;
    else if (path !== null) {
      if (remove !== null) this.#best.remove(remove as string);
      this.#best.add(path as string, score as number);
      const best = this.#best.best!;
      this.#bestModelPath = best.path;
      this.#bestModelScore = best.score;
      if (verbose) {
        info(
          `Epoch ${trainer.currentEpoch}, global step ${trainer.globalStep}: '${monitor}' reached ${
            this.#currentScore!.toFixed(5)
          } ` +
            `(best ${best.score.toFixed(5)}), saving model to '${path}' as top ${
              Number.isFinite(saveTopK) ? saveTopK : this.#best.scores.size
            }`,
        );
      }
    }
    if (last !== null) this.#lastModelPath = last as string;
    else if (path !== null) this.#lastModelPath = path as string;
  }

  async #removeOld(trainer: Trainer, old: string, current: string): Promise<void> {
    if (old === current || !liesIn(this.#dirpath!, old)) return;
    if (trainer.ckptPath !== undefined && resolve(trainer.ckptPath) === resolve(old)) return;
    await removeCheckpoint(old);
  }

  #reportMissing(trainer: Trainer): void {
    const { monitor } = this.#config;
    const text =
      `\`ModelCheckpoint({ monitor: "${monitor}" })\` could not find the monitored key in the returned metrics: [${
        Object.keys(trainer.callbackMetrics).join(", ")
      }]. HINT: Did you call \`this.log("${monitor}", value)\` in the \`LightningModule\`?`;
    if (this.#hasValidated || !trainer.enableValidation) throw new Error(text);
    warn(`checkpoint-monitor:${monitor}`, text);
  }
}
