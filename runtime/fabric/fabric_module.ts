import { LayersModule } from "../nn/layers_module.ts";
import type { Module } from "../nn/module.ts";
import { beginTape } from "../tensor/tape.ts";
import type { tf } from "../tensor/tf.ts";

/** What a model is after {@linkcode Fabric.setup}: itself, with a `forward` that is recorded for `fabric.backward`. */
export type FabricModule<M extends Module | tf.LayersModel> =
  & (M extends Module ? M : LayersModule)
  & FabricModuleMembers<M>;

/** What set-up adds to a model. */
export interface FabricModuleMembers<M extends Module | tf.LayersModel> {
  /** The model as it was given to `fabric.setup`. */
  readonly original: M;
  /** Records the forward pass of another method than `forward` and the `…Step`s too, so that `fabric.backward(loss)` can follow it. */
  markForwardMethod(name: string): void;
}

/** Methods whose operations are recorded. */
const FORWARD_METHODS = ["forward", "trainingStep", "validationStep", "testStep", "predictStep"];

const wrapped = new WeakMap<object, Module>();

/** The module inside what {@linkcode wrapModule} made; the module itself if it is not wrapped. */
export function unwrapModule(module: Module): Module {
  return wrapped.get(module) ?? module;
}

/** Options of {@linkcode wrapModule}. */
export interface WrapModuleOptions {
  /** Called before a forward method, in any mode. */
  beforeForward: (module: Module) => void;
  /** Called before each forward pass in train mode. */
  onForward: (module: Module) => void;
  /** Calls the forward methods, in the precision of the run. */
  autocast: <T>(f: () => T) => T;
}

/**
 * A view of `module` whose forward methods start recording in train mode. Everything else passes through, to the very object,
 * so that the user's fields stay the user's.
 */
export function wrapModule<M extends Module | tf.LayersModel>(
  original: M,
  module: Module,
  { beforeForward, onForward, autocast }: WrapModuleOptions,
): FabricModule<M> {
  const forwardMethods = new Set(FORWARD_METHODS);
  const recording = new Map<string, (...args: unknown[]) => unknown>();
  const members: FabricModuleMembers<M> = {
    original,
    markForwardMethod(name) {
      if (typeof (module as unknown as Record<string, unknown>)[name] !== "function") {
        throw new TypeError(`\`${module.constructor.name}\` has no method \`${name}\` to mark as a forward method`);
      }
      forwardMethods.add(name);
    },
  };
  const view = new Proxy(module, {
    get(target, key) {
      if (typeof key === "string") {
        if (Object.hasOwn(members, key)) return members[key as keyof typeof members];
        if (forwardMethods.has(key)) {
          const method = Reflect.get(target, key, target);
          if (typeof method !== "function") return method;
          let recorded = recording.get(key);
          if (!recorded) {
            recorded = (...args) => {
              beforeForward(target);
              if (target.training) {
                beginTape();
                onForward(target);
              }
              return autocast(() => Reflect.apply(Reflect.get(target, key, target) as typeof method, target, args));
            };
            recording.set(key, recorded);
          }
          return recorded;
        }
      }
      const value = Reflect.get(target, key, target);
      // Bound, because methods that use #private fields refuse a proxy as `this`.
      return typeof value === "function" && key !== "constructor" ? value.bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
  wrapped.set(view, module);
  return view as unknown as FabricModule<M>;
}
