import { CHECKPOINT_VERSION, type CheckpointState } from "./checkpoint_state.ts";
import { CheckpointError } from "../core/errors.ts";

/** @throws CheckpointError if a file that was read is no checkpoint of a Trainer, or one of a newer version */
export function checkCheckpointVersion(checkpoint: Partial<CheckpointState>, path: string): void {
  const { version, stateDict } = checkpoint;
  if (typeof version !== "number" || typeof stateDict !== "object" || stateDict === null) {
    throw new CheckpointError(
      `${path} is not a checkpoint of a Trainer: it has ${
        Object.keys(checkpoint).slice(0, 8).join(", ") || "nothing"
      }, but no \`version\` and \`stateDict\`. Load it with \`fabric.load\`, or weights alone with \`fabric.loadRaw(path, model)\`.`,
      path,
    );
  }
  if (version > CHECKPOINT_VERSION) {
    throw new CheckpointError(
      `${path} was written by a newer version of this library: it is of version ${version}, and this one reads up to ${CHECKPOINT_VERSION}. Upgrade to read it.`,
      path,
    );
  }
}
