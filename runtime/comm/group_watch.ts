/** Somebody who sees what the collectives of a group do. Called often: it has to be quick. */
export interface GroupWatch {
  began(kind: string, sequence: number): void;
  /** @param rank whose frame is needed next; -1 for any. @param step which of its frames: in each collective they are needed in this order */
  waitsFor(rank: number, step: number): void;
  ended(): void;
  /** A rank that failed without saying so. Asked again and again while a collective waits. @param doing tells what this rank is doing */
  failure(doing: () => string): Error | undefined;
}
