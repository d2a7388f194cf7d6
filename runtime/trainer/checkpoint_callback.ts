import { Callback, type CallbackOrder } from "./callback.ts";

/** A callback that saves checkpoints. `trainer.fit(…, { ckptPath: "best" })` and `"last"` ask it where they are. */
export abstract class CheckpointCallback extends Callback {
  override get order(): CallbackOrder {
    return "checkpoint";
  }

  /** The best checkpoint so far, "" if there is none. */
  abstract get bestModelPath(): string;
  /** The newest checkpoint, "" if there is none. */
  abstract get lastModelPath(): string;
  /** The folder that it saves to, as far as it is known. */
  abstract get dirpath(): string | undefined;
}
