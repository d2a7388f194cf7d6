import type { Module } from "../../nn/module.ts";

/** Notes whether each part of a model is in train mode; calling the result puts that back. */
export function rememberModes(module: Module): () => void {
  const modes = module.modules().map((part) => [part, part.training] as const);
  return () => {
    for (const [part, training] of modes) part.training = training;
  };
}
