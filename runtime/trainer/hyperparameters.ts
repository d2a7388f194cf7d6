import { warn } from "../core/messages.ts";
import { rejectUnknownOptions } from "../core/suggest.ts";
import { Module } from "../nn/module.ts";
import { tf } from "../tensor/tf.ts";

/** Options of `saveHyperparameters`. */
export interface SaveHyperparametersOptions {
  /** Names to leave out. Default: none. */
  ignore?: string | readonly string[];
  /** Give them to the loggers. Default: true. */
  logger?: boolean;
}

/** The hyperparameters of a module or a data module: as they were saved, and as they are now. */
export class Hyperparameters<H extends object> {
  readonly #owner: string;
  #initial: Readonly<H> | undefined;
  #current: H | undefined;
  #toLogger = true;

  constructor(owner: string) {
    this.#owner = owner;
  }

  /** Takes a record over; called again it adds to what is there. */
  save(hparams: H, options: SaveHyperparametersOptions): void {
    rejectUnknownOptions("saveHyperparameters", options, ["ignore", "logger"]);
    if (typeof hparams !== "object" || hparams === null || Array.isArray(hparams)) {
      throw new TypeError(
        `\`saveHyperparameters\` takes a record such as { hidden: 100 }, but got ${
          hparams === null ? "null" : Array.isArray(hparams) ? "an array" : `${typeof hparams} ${String(hparams)}`
        }`,
      );
    }
    const ignored = new Set(typeof options.ignore === "string" ? [options.ignore] : options.ignore ?? []);
    const kept = Object.entries(hparams).filter(([name, value]) => !ignored.has(name) && this.#canSave(name, value));
    const initial = structuredClone(Object.fromEntries(kept)) as H;
    this.#initial = deepFreeze({ ...this.#initial, ...initial } as H);
    this.#current = { ...this.#current, ...structuredClone(initial) } as H;
    // What cannot be saved is still there for the code that made it.
    for (const [name, value] of Object.entries(hparams)) {
      if (!(name in initial) && !ignored.has(name)) {
        Object.defineProperty(this.#current, name, { value, enumerable: false, writable: true, configurable: true });
      }
    }
    this.#toLogger = options.logger ?? true;
  }

  get isSaved(): boolean {
    return this.#initial !== undefined;
  }

  get current(): H {
    if (this.#current) return this.#current;
    throw new Error(
      `This ${this.#owner} has no hyperparameters: call \`this.saveHyperparameters(hparams)\` in its constructor`,
    );
  }

  get initial(): Readonly<H> {
    if (this.#initial) return this.#initial;
    return this.current;
  }

  get toLogger(): boolean {
    return this.#toLogger;
  }

  #canSave(name: string, value: unknown): boolean {
    if (value instanceof Module || value instanceof tf.LayersModel) {
      warn(
        `hparams-module:${name}`,
        `The hyperparameter \`${name}\` is a model and is saved with the weights already. Leave it out: ` +
          `\`this.saveHyperparameters(hparams, { ignore: ["${name}"] })\``,
      );
      return false;
    }
    if (value === undefined) return false;
    try {
      structuredClone(value);
    } catch {
      warn(
        `hparams-not-saved:${name}`,
        `The hyperparameter \`${name}\` cannot be saved (${typeof value}); \`loadFromCheckpoint\` will have to be given it: ` +
          `\`loadFromCheckpoint(path, { hparams: { ${name}: … } })\``,
      );
      return false;
    }
    return true;
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
