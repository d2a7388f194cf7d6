import { dirname, resolve } from "node:path";
import { readCheckpointHeader } from "../checkpoint/read_checkpoint_header.ts";
import { warn } from "../core/messages.ts";
import type { ClusterInfo } from "../environments/cluster_info.ts";
import type { Settings } from "../environments/settings.ts";

/** One line of the record. */
interface Entry {
  readonly path: string;
  /** Which part of the program wrote it. */
  readonly part: string;
  /** Only as many ranks can go on from it. Absent: any number can. */
  readonly ranks?: number;
}

/**
 * What a run has saved that it can go on from, newest last, in a file that outlives the ranks. The order is that of writing: no clock is
 * asked. Without a file (nothing will start the run again) it remembers nothing.
 */
export class CheckpointRecord {
  readonly #file: string | undefined;

  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** Adds a checkpoint that is complete. @param ranks if only as many can go on from it */
  async add(path: string, part: string, ranks?: number): Promise<void> {
    if (this.#file === undefined) return;
    const entry: Entry = { path: resolve(path), part, ranks };
    try {
      await Deno.mkdir(dirname(this.#file), { recursive: true });
      await Deno.writeTextFile(this.#file, JSON.stringify(entry) + "\n", { append: true });
    } catch (error) {
      // The checkpoint itself is there. A run that is started again would go on from the one before.
      warn("checkpoint-record", `the checkpoint ${path} is not in the list ${this.#file}: ${(error as Error).message}`);
    }
  }

  /** The newest that is still there and whole. */
  async newest(wanted: { part?: string; ranks?: number } = {}): Promise<string | undefined> {
    const { part, ranks } = wanted;
    for (const entry of (await this.#read()).reverse()) {
      if (part !== undefined && entry.part !== part) continue;
      if (ranks !== undefined && entry.ranks !== undefined && entry.ranks !== ranks) continue;
      try {
        await readCheckpointHeader(entry.path);
        return entry.path;
      } catch {
        // Replaced by a better one, or damaged: the one before it.
      }
    }
    return undefined;
  }

  async #read(): Promise<Entry[]> {
    if (this.#file === undefined) return [];
    const text = await Deno.readTextFile(this.#file).catch(() => "");
    return text.split("\n").flatMap((line) => {
      try {
        const entry = JSON.parse(line);
        return typeof entry?.path === "string" && typeof entry.part === "string" ? [entry] : [];
      } catch {
        // The end, or a line that was cut short.
        return [];
      }
    });
  }
}

/** Where the record of a run lies: where the launcher says, or, for a job that Slurm may start again, in the working folder. */
export function checkpointRecordFile(settings: Settings, cluster: ClusterInfo): string | undefined {
  if (settings.checkpointRecord !== undefined) return settings.checkpointRecord;
  return cluster.kind === "slurm" ? resolve(".weft", `${cluster.runId}.checkpoints`) : undefined;
}
