import { echoWeight } from "./echo_weight.ts";
import type { Outcome } from "./outcome.ts";

/** What a launcher tells the others when its part of a generation has ended. */
export interface Ended extends Outcome {
  readonly node: number;
  readonly host: string;
  /** The signal that ended it, if one did. */
  readonly signal?: string;
  /** Whether it ended because hosts join. Default: false. */
  readonly joins?: boolean;
}

/** What all hosts together come to: the failure that the others follow from; else a stop; else the end. */
export function worstOf(all: readonly Ended[]): Outcome {
  const failed = all.filter(({ cause }) => cause).sort((a, b) =>
    echoWeight(a.cause!.error) - echoWeight(b.cause!.error) || a.node - b.node
  );
  const stopped = all.find(({ category }) => category === "stopped");
  // Ranks that were told of a stop, and threw that, have not failed.
  if (stopped && failed.every(({ cause }) => cause!.error?.name === "RankFailedError")) {
    return { exitCode: stopped.exitCode, category: stopped.category };
  }
  // A host that ended for what another told it has no cause of its own, and comes after that one.
  const order: Outcome["category"][] = ["rank", "stopped", "infrastructure", "resumable", "finished"];
  const [worst] = failed.length > 0
    ? failed
    : [...all].sort((a, b) => order.indexOf(a.category) - order.indexOf(b.category));
  const { exitCode, category, cause } = worst;
  return { exitCode, category, cause };
}
