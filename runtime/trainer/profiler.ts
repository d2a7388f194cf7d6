/** Measures what the Trainer calls. */
export interface Profiler {
  /** Begins to measure an action; what it returns ends it. */
  start(action: string): () => void;
  /** The report as text. @param title e.g. `FIT Profiler Report` */
  summary(title: string): string;
}
