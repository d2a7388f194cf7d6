/**
 * What the runtime says to the person who runs it: one line each, on standard error, from rank 0 unless asked otherwise.
 * A warning has a code, is said once a process, and can be silenced by that code.
 */

const said = new Set<string>();
const silenced = new Set<string>();
let rank = 0;
let write = (line: string) => console.error(line);

/** Tells the messages which rank speaks: only rank 0 does, unless `everyRank` is given. */
export function setSpeakingRank(newRank: number): void {
  rank = newRank;
}

/** Silences warnings by code; `"all"` silences every one. */
export function silenceWarnings(...codes: string[]): void {
  for (const code of codes) silenced.add(code);
}

/** Options of {@linkcode info} and {@linkcode warn}. */
export interface MessageOptions {
  /** Say it on every rank, with the rank in front. Default: rank 0 alone. */
  everyRank?: boolean;
}

/** Says one line of information. */
export function info(text: string, options: MessageOptions = {}): void {
  if (rank === 0 || options.everyRank) write(text);
}

/** Says a warning once, followed by the code that silences it. */
export function warn(code: string, text: string, options: MessageOptions = {}): void {
  if (said.has(code) || silenced.has(code) || silenced.has("all")) return;
  said.add(code);
  if (rank === 0 || options.everyRank) write(`warning: ${text} [${code}]`);
}

/** Routes messages elsewhere (a test, a progress bar that must be cleared first); returns what restores the old route. */
export function routeMessages(newWrite: (line: string) => void): Disposable {
  const old = write;
  write = newWrite;
  return { [Symbol.dispose]: () => void (write = old) };
}

/** Forgets which warnings were said, for tests. */
export function forgetWarnings(): void {
  said.clear();
  silenced.clear();
}
