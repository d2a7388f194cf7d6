import { Random } from "../../runtime/seed/random.ts";
import { drawFault, type Fault, KINDS } from "./fault.ts";

/** What a machine lets the faults do. */
export interface DrawOptions {
  seed: number;
  runs: number;
  /** A small disk needs root. */
  canMount: boolean;
  /** How many of the faults that any program can have come to the Trainer; the rest to a program that starts quickly. */
  trainShare: number;
}

/** Draws faults by chance: all kinds in turn, in an order that changes, so that no kind is missing. */
export function drawFaults({ seed, runs, canMount, trainShare }: DrawOptions): Fault[] {
  const random = new Random(seed), faults: Fault[] = [];
  const kinds = KINDS.filter((kind) => kind !== "disk" || canMount);
  while (faults.length < runs) {
    const left = [...kinds];
    while (left.length > 0 && faults.length < runs) {
      const [kind] = left.splice(Math.floor(random.uniform() * left.length), 1);
      faults.push(drawFault(random, kind, { trainShare }));
    }
  }
  return faults;
}
