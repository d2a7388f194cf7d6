import type { TapeNode } from "./engine.ts";
import type { tf } from "./tf.ts";

/**
 * The recorded operations on the way from any of `from` to `to`, in the order in which they ran, each with only those inputs that lie
 * on the way.
 */
export function nodesBetween(tape: readonly TapeNode[], from: readonly tf.Tensor[], to: tf.Tensor): TapeNode[] {
  const reached = new Set(from.map((tensor) => tensor.id));
  const forward: TapeNode[] = [];
  for (const node of tape) {
    const inputs: Record<string, tf.Tensor> = {};
    let any = false;
    for (const name in node.inputs) {
      // Optional inputs are recorded as null.
      if (node.inputs[name] && reached.has(node.inputs[name].id)) {
        inputs[name] = node.inputs[name];
        any = true;
      }
    }
    if (!any) continue;
    for (const output of node.outputs) reached.add(output.id);
    forward.push({ ...node, inputs });
  }
  const leading = new Set([to.id]);
  const path: TapeNode[] = [];
  for (let i = forward.length - 1; i >= 0; i--) {
    const node = forward[i];
    if (!node.outputs.some((output) => leading.has(output.id))) continue;
    for (const name in node.inputs) leading.add(node.inputs[name].id);
    path.push(node);
  }
  return path.reverse();
}
