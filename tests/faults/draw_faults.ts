import { noNetwork } from "../clusters/network.ts";
import { Random } from "../../runtime/seed/random.ts";
import { drawFault, type Fault, type FaultKind, KINDS } from "./fault.ts";

/** What is drawn. */
export interface DrawOptions {
  seed: number;
  runs: number;
  /** Default: all that the machine can have. */
  kinds?: readonly FaultKind[];
  /** See {@linkcode Shares}. */
  trainShare: number;
}

/** A run on two hosts takes about twice as long as one on one. */
const HOST_SHARE = 1 / 6;

/** Draws faults by chance: all kinds in turn, in an order that changes, so that no kind is missing. */
export function drawFaults({ seed, runs, kinds = possibleKinds(), trainShare }: DrawOptions): Fault[] {
  const random = new Random(seed), faults: Fault[] = [], hostShare = impossible("host") ? 0 : HOST_SHARE;
  while (faults.length < runs) {
    const left = [...kinds];
    while (left.length > 0 && faults.length < runs) {
      const [kind] = left.splice(Math.floor(random.uniform() * left.length), 1);
      faults.push(drawFault(random, kind, { trainShare, hostShare }));
    }
  }
  return faults;
}

/** The kinds that this machine can have. Says of the others why it cannot. */
export function possibleKinds(): FaultKind[] {
  return KINDS.filter((kind) => {
    const reason = impossible(kind);
    if (reason) console.log(`no faults of kind ${kind}: ${reason}`);
    return reason === undefined;
  });
}

/** Why this machine cannot have a kind of faults; undefined if it can. */
export function impossible(kind: FaultKind): string | undefined {
  if (kind === "disk" && Deno.uid() !== 0) return "a small disk needs root";
  return kind === "host" ? noNetwork() : undefined;
}
