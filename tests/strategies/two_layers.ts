import { AdamW, tf } from "../../mod.ts";
import { Line } from "../trainer/support/line.ts";

/** {@linkcode Line} with a hidden layer, and an optimizer that remembers. */
export class TwoLayers extends Line {
  override readonly net = tf.sequential({
    layers: [tf.layers.dense({ inputShape: [2], units: 8 }), tf.layers.dense({ units: 1 })],
  });
  override configureOptimizers() {
    return new AdamW({ learningRate: 0.02 });
  }
}
