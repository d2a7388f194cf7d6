/** What a seed came to. */
export interface SeedResult {
  /** What was simulated, in words. */
  readonly what: string;
  /** What is wrong; empty if nothing is. */
  readonly problems: readonly string[];
  readonly events: number;
  /** Virtual milliseconds. */
  readonly virtualMs: number;
}

/** A kind of simulation: what it draws from a seed, lets happen, and finds wrong. */
export type Simulation = (seed: number, options?: { worldSize?: number; trace?: (line: string) => void }) => Promise<
  SeedResult
>;

/** What many seeds came to. */
export interface SeedsResult {
  readonly seeds: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly failed: readonly { readonly seed: number; readonly result: SeedResult }[];
}

/** Simulates one seed after the other. The same seed gives the same run on every machine. */
export async function runSeeds(
  simulation: Simulation,
  options: {
    first: number;
    count: number;
    worldSize?: number;
    /** Told after each seed: how many are done, how many of them failed, and whether this one did. */
    onDone?: (done: number, failed: number, seed: { seed: number; isRight: boolean }) => void;
  },
): Promise<SeedsResult> {
  const { first, count, worldSize, onDone } = options;
  const failed: { seed: number; result: SeedResult }[] = [];
  let events = 0, virtualMs = 0;
  for (let i = 0; i < count; i++) {
    const result = await simulation(first + i, { worldSize });
    events += result.events;
    virtualMs += result.virtualMs;
    if (result.problems.length > 0) failed.push({ seed: first + i, result });
    onDone?.(i + 1, failed.length, { seed: first + i, isRight: result.problems.length === 0 });
  }
  return { seeds: count, events, virtualMs, failed };
}

/** What is wrong, in words; empty if nothing is. */
export function failuresOf({ failed }: SeedsResult, name: string): string {
  return failed.slice(0, 5).map(({ seed, result }) =>
    `seed ${seed}: ${result.what}\n  ${result.problems.slice(0, 5).join("\n  ")}\n` +
    `  again, with a trace: deno task test:simulation ${name} --seed ${seed}`
  ).join("\n");
}

/** How much was simulated, in words. */
export function summaryOf({ seeds, events, virtualMs, failed }: SeedsResult): string {
  return `${seeds} seeds, ${(events / 1e6).toFixed(1)} million events, ${(virtualMs / 3_600_000).toFixed(1)} hours ` +
    `of virtual time: ${failed.length} failed`;
}
