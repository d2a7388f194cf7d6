import { warn } from "../core/messages.ts";

/** Says once that a step runs op by op. @param reason in words that follow "because". @param at the line where that shows */
export function warnNotCompiled(step: string, reason: string, at?: string): void {
  warn(
    "step-not-compiled",
    `\`${step}\` runs op by op, because ${reason}${
      at ? ` (${at})` : ""
    }. docs/compiled_steps.md tells what can be compiled; ` +
      "`compile: false` is the same without this warning",
  );
}
