import type { Profiler } from "./profiler.ts";

/**
 * Adds up how long each hook and step takes: mean, calls, total and share.
 *
 * @example
 * ```ts
 * const profiler = new SimpleProfiler();
 * const done = profiler.start("loading");
 * done();
 * console.assert(profiler.summary("Report").includes("loading"));
 * ```
 */
export class SimpleProfiler implements Profiler {
  readonly #actions = new Map<string, { calls: number; totalMs: number }>();
  readonly #now: () => number;
  readonly #startedAt: number;

  /** @param options `now`: a clock in milliseconds. Default: performance.now */
  constructor(options: { now?: () => number } = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#startedAt = this.#now();
  }

  start(action: string): () => void {
    const startedAt = this.#now();
    return () => {
      const entry = this.#actions.get(action) ?? { calls: 0, totalMs: 0 };
      entry.calls++;
      entry.totalMs += this.#now() - startedAt;
      this.#actions.set(action, entry);
    };
  }

  summary(title: string): string {
    const total = this.#now() - this.#startedAt;
    const rows = [...this.#actions].sort(([, a], [, b]) => b.totalMs - a.totalMs).map((
      [action, { calls, totalMs }],
    ) => [
      action,
      (totalMs / calls / 1000).toFixed(6),
      String(calls),
      (totalMs / 1000).toFixed(6),
      total > 0 ? (100 * totalMs / total).toFixed(2) : "0.00",
    ]);
    const all = [...this.#actions.values()].reduce((calls, entry) => calls + entry.calls, 0);
    rows.unshift(["Total", "-", String(all), (total / 1000).toFixed(6), "100.00"]);
    const head = ["Action", "Mean duration (s)", "Num calls", "Total time (s)", "Percentage %"];
    const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column].length)));
    const line = (cells: readonly string[]) =>
      "|  " + cells.map((cell, i) => cell.padEnd(widths[i])).join("  |  ") + "  |";
    const rule = "-".repeat(line(head).length);
    return [title, rule, line(head), rule, ...rows.map(line), rule].join("\n");
  }
}
