import { join } from "node:path";
import { checkInside } from "../core/inside.ts";
import { warn } from "../core/messages.ts";

/** Options of {@linkcode RunFolder}. */
export interface RunFolderOptions {
  /** The experiment; "" for none, then runs lie in the root folder itself. */
  name: string;
  /** The run: a number N is `version_N`, a string is taken as it is. Default: one more than the highest there is. */
  version?: number | string;
  /** What happens to files of an earlier run in the same folder, for the warning. */
  whenNotEmpty: string;
}

/** The folder of a run's files, `rootDir/name/version_N`. Nothing is made on the disk before `claim()`. */
export class RunFolder {
  readonly #parent: string;
  readonly #whenNotEmpty: string;
  #version: string | undefined;
  #claimed = false;
  /** A folder that was found free holds nothing but what this run put there, checkpoints say. */
  readonly #mayHoldAnotherRun: boolean;

  constructor(rootDir: string, { name, version, whenNotEmpty }: RunFolderOptions) {
    if (typeof rootDir !== "string" || rootDir === "") {
      throw new TypeError(
        `A logger needs a folder to write to, but got ${JSON.stringify(rootDir)}: give it one, e.g. "logs"`,
      );
    }
    if (typeof version === "number" && (!Number.isSafeInteger(version) || version < 0)) {
      throw new RangeError(`A logger's version is a whole number from 0 up or a string, but got ${version}`);
    }
    checkInside("name of a logger", name);
    if (typeof version === "string") checkInside("version of a logger", version);
    this.#parent = join(rootDir, name);
    this.#version = typeof version === "number" ? `version_${version}` : version;
    this.#whenNotEmpty = whenNotEmpty;
    this.#mayHoldAnotherRun = version !== undefined;
  }

  /** The run's name. Fixed by the first look at it. */
  get version(): string {
    return this.#version ??= `version_${nextVersion(this.#parent)}`;
  }

  get path(): string {
    return join(this.#parent, this.version);
  }

  /** Makes the folder, once. Two runs that start together and let their version be found get different ones. */
  claim(): void {
    if (this.#claimed) return;
    Deno.mkdirSync(this.#parent, { recursive: true });
    while (this.#version === undefined) {
      const version = `version_${nextVersion(this.#parent)}`;
      try {
        Deno.mkdirSync(join(this.#parent, version));
        this.#version = version;
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
    Deno.mkdirSync(this.path, { recursive: true });
    this.#claimed = true;
    if (this.#mayHoldAnotherRun && !Deno.readDirSync(this.path)[Symbol.iterator]().next().done) {
      warn(
        "log-folder-not-empty",
        `Experiment logs directory ${this.path} exists and is not empty. ${this.#whenNotEmpty}`,
      );
    }
  }
}

function nextVersion(parent: string): number {
  let highest = -1;
  try {
    for (const { name } of Deno.readDirSync(parent)) {
      const match = /^version_(\d+)$/.exec(name);
      if (match) highest = Math.max(highest, Number(match[1]));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return highest + 1;
}
