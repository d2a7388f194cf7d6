import { Callback } from "./callback.ts";
import { activity } from "../core/activity.ts";
import { LightningModule } from "./lightning_module.ts";
import type { Profiler } from "./profiler.ts";
import type { Trainer } from "./trainer.ts";

/** Where a hook's implementations come in the order of one call. */
const NORMAL = 0, MODULE = 1, MONITOR = 2, CHECKPOINT = 3;

/** See {@linkcode HookCaller.callPart}. */
export type HookPart = "first" | "monitors" | "checkpoints";

const PARTS: Record<HookPart, (place: number) => boolean> = {
  first: (place) => place <= MODULE,
  monitors: (place) => place === MONITOR,
  checkpoints: (place) => place === CHECKPOINT,
};

interface Implementation {
  readonly place: number;
  readonly label: string;
  // deno-lint-ignore no-explicit-any
  readonly call: (...args: any[]) => unknown;
}

/** At these, what saves runs after the module, so that what it saves is final. */
const CHECKPOINTS_LAST = new Set(["onTrainBatchEnd", "onTrainEpochEnd", "onValidationEnd"]);

/** Hooks that a module has as well but that are part of its work: they are called with {@linkcode HookCaller.module}. */
type Owner = Record<string, unknown>;

/**
 * Calls hooks. Which callbacks and whether the module have one is found out once; one that nobody has costs nothing.
 * Knows the hook that is running, for `log`.
 */
export class HookCaller {
  readonly #trainer: Trainer;
  readonly #module: LightningModule;
  readonly #callbacks: readonly Callback[];
  readonly #profiler: Profiler | undefined;
  readonly #lists = new Map<string, readonly Implementation[]>();
  /** The hook or step that is running. */
  current: string | undefined;

  constructor(
    parts: { trainer: Trainer; module: LightningModule; callbacks: readonly Callback[]; profiler?: Profiler },
  ) {
    this.#trainer = parts.trainer;
    this.#module = parts.module;
    this.#callbacks = parts.callbacks;
    this.#profiler = parts.profiler;
  }

  /** Calls the hook on the callbacks, then on the module, then on callbacks that decide or save. Returns what the last one that gave a number did. */
  call(name: string, ...args: unknown[]): Promise<unknown> | undefined {
    const list = this.#listOf(name);
    return list.length === 0 ? undefined : this.#run(name, list, args);
  }

  /** The parts of a call one by one: the others and the module, those that decide by metrics, those that save. */
  callPart(part: HookPart, name: string, ...args: unknown[]): Promise<unknown> | undefined {
    const list = this.#listOf(name).filter(({ place }) => PARTS[part](place));
    return list.length === 0 ? undefined : this.#run(name, list, args);
  }

  /** Calls the hook on the callbacks alone. */
  callbacks(name: string, ...args: unknown[]): Promise<unknown> | undefined {
    const list = this.#listOf(name).filter(({ place }) => place !== MODULE);
    return list.length === 0 ? undefined : this.#run(name, list, args);
  }

  /** Calls a method of the module as a hook: `log` knows where it is, the profiler counts it. */
  async module<T>(name: string, f: () => T | Promise<T>): Promise<T> {
    const before = this.current;
    this.current = name;
    const outer = activity().enter(name);
    const done = this.#profiler?.start(`[LightningModule]${this.#module.constructor.name}.${name}`);
    try {
      const result = f();
      const settled = result instanceof Promise ? await result : result;
      // After a throw it stays, to tell where that was.
      activity().restore(outer);
      return settled;
    } finally {
      done?.();
      this.current = before;
    }
  }

  /** True if a callback or the module has the hook. */
  has(name: string): boolean {
    return this.#listOf(name).length > 0;
  }

  /** True if the module has a hook of its own. */
  overrides(name: keyof LightningModule): boolean {
    return overrides(this.#module, LightningModule.prototype, name);
  }

  async #run(name: string, list: readonly Implementation[], args: unknown[]): Promise<unknown> {
    const before = this.current;
    const outer = activity().enter(name);
    let answer: unknown;
    try {
      for (const { call, label } of list) {
        this.current = name;
        const done = this.#profiler?.start(label);
        const result = call(...args);
        const settled = result instanceof Promise ? await result : result;
        if (settled !== undefined) answer = settled;
        done?.();
      }
      activity().restore(outer);
    } finally {
      this.current = before;
    }
    return answer;
  }

  #listOf(name: string): readonly Implementation[] {
    const known = this.#lists.get(name);
    if (known) return known;
    const list: Implementation[] = [];
    const module = this.#module, trainer = this.#trainer;
    for (const callback of this.#callbacks) {
      if (!overrides(callback, Callback.prototype, name)) continue;
      const method = (callback as unknown as Owner)[name];
      if (typeof method !== "function") continue;
      const saves = callback.order === "checkpoint" && CHECKPOINTS_LAST.has(name);
      const monitors = callback.order === "monitor" && name === "onTrainEpochEnd";
      list.push({
        place: saves ? CHECKPOINT : monitors ? MONITOR : NORMAL,
        label: `[Callback]${callback.constructor.name}.${name}`,
        call: (...args) => method.call(callback, trainer, module, ...args),
      });
    }
    if (overrides(module, LightningModule.prototype, name)) {
      const method = (module as unknown as Owner)[name];
      if (typeof method === "function") {
        list.push({
          place: MODULE,
          label: `[LightningModule]${module.constructor.name}.${name}`,
          call: (...args) => method.apply(module, args),
        });
      }
    }
    list.sort((a, b) => a.place - b.place);
    this.#lists.set(name, list);
    return list;
  }
}

/** True if an object has a method other than that of the base class. */
export function overrides(object: object, base: object, name: string): boolean {
  const own = (object as Owner)[name];
  return own !== undefined && own !== (base as Owner)[name];
}
