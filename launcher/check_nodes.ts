import { isLoopback } from "../runtime/core/loopback.ts";
import type { RunKey } from "../runtime/core/run_key.ts";
import { KEY_IS_NEEDED } from "../runtime/environments/require_run_key.ts";

/** What {@linkcode checkNodes} looks at. */
export interface Nodes {
  numNodes: number;
  minNodes: number;
  nodeRank: number;
  mainAddress: string;
  mainPort: number;
  runKey: RunKey | undefined;
}

/**
 * Refuses hosts that cannot be: before anything listens.
 * @throws RangeError saying which value is wrong and what to give instead; Error if other hosts can reach the run and there is no key
 */
export function checkNodes(nodes: Nodes): void {
  const { numNodes, minNodes, nodeRank, mainAddress, mainPort, runKey } = nodes;
  if (!Number.isSafeInteger(numNodes) || numNodes < 1) {
    throw new RangeError(`The number of hosts (num-nodes) must be a positive integer, but is ${numNodes}`);
  }
  if (!Number.isSafeInteger(minNodes) || minNodes < 1 || minNodes > numNodes) {
    throw new RangeError(
      `The least number of hosts is ${minNodes}, but must be 1 to the most, ${numNodes} (num-nodes MIN:MAX)`,
    );
  }
  if (!Number.isSafeInteger(nodeRank) || nodeRank < 0 || nodeRank >= numNodes) {
    throw new RangeError(
      `The host's rank (node-rank) is ${nodeRank}, but must be 0 to ${numNodes - 1} with ${numNodes} hosts (num-nodes)`,
    );
  }
  if (numNodes > 1 && mainPort === 0) {
    throw new RangeError(
      `With ${numNodes} hosts every launcher must be told the same main-port, e.g. --main-port 29400`,
    );
  }
  if (!isLoopback(mainAddress) && !runKey) {
    throw new Error(
      `The main-address ${mainAddress} can be reached from other hosts. ${KEY_IS_NEEDED}, copy it to the other hosts, ` +
        `and give it to every launcher: --key-file run.key. On a disk that all hosts see, the launcher of node 0 makes it ` +
        `if it is missing`,
    );
  }
}
