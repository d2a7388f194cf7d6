import { Module, tf } from "../../mod.ts";

/** Sizes of a {@linkcode Transformer}. */
export interface TransformerOptions {
  /** How many different characters there are. */
  vocabulary: number;
  /** The longest text it can look at. */
  context: number;
  /** Numbers that stand for a character. */
  width: number;
  heads: number;
  blocks: number;
}

/** A tfjs layer makes its weights when it sees an input; `build` does it at once, so that they can be found and loaded. */
function built<L extends tf.layers.Layer>(layer: L, width: number): L {
  layer.build([null, null, width]);
  return layer;
}

/**
 * Layer normalization over the last dimension (J. Ba et al., 2016). tf.layers.layerNormalization repeats its scale for every place of the
 * batch, and the gradient of that repetition takes one slice and one addition a place: a second a step here.
 */
class LayerNorm extends Module {
  readonly scale: tf.Variable;
  readonly shift: tf.Variable;

  constructor(width: number) {
    super();
    this.scale = tf.variable(tf.ones([width]));
    this.shift = tf.variable(tf.zeros([width]));
  }

  override forward(x: tf.Tensor): tf.Tensor {
    const { mean, variance } = tf.moments(x, -1, true);
    return x.sub(mean).mul(variance.add(1e-5).rsqrt()).mul(this.scale).add(this.shift);
  }
}

/** Every place looks at itself and those before it, in several ways at once. */
class Attention extends Module {
  readonly qkv: tf.layers.Layer;
  readonly out: tf.layers.Layer;
  readonly #heads: number;

  constructor(width: number, heads: number) {
    super();
    this.#heads = heads;
    this.qkv = built(tf.layers.dense({ units: 3 * width, useBias: false }), width);
    this.out = built(tf.layers.dense({ units: width }), width);
  }

  /** @param x [batch, time, width] @param mask [time, time], a large negative number where nobody may look */
  override forward(x: tf.Tensor, mask: tf.Tensor): tf.Tensor {
    const parts = tf.split(this.run(this.qkv, x), 3 * this.#heads, -1);
    // One head at a time: transposing tensors of four dimensions, as is usual, takes longer in tfjs than the multiplications.
    const mixed = Array.from({ length: this.#heads }, (_, head) => {
      const [q, k, v] = [parts[head], parts[this.#heads + head], parts[2 * this.#heads + head]];
      const scores = tf.matMul(q, k, false, true).div(Math.sqrt(q.shape[2]!)).add(mask);
      return tf.matMul(tf.softmax(scores), v);
    });
    return this.run(this.out, tf.concat(mixed, -1));
  }
}

class Block extends Module {
  readonly norm1: LayerNorm;
  readonly attention: Attention;
  readonly norm2: LayerNorm;
  readonly up: tf.layers.Layer;
  readonly down: tf.layers.Layer;

  constructor({ width, heads }: TransformerOptions) {
    super();
    this.norm1 = new LayerNorm(width);
    this.attention = new Attention(width, heads);
    this.norm2 = new LayerNorm(width);
    this.up = built(tf.layers.dense({ units: 4 * width, activation: "relu" }), width);
    this.down = built(tf.layers.dense({ units: width }), 4 * width);
  }

  override forward(x: tf.Tensor, mask: tf.Tensor): tf.Tensor {
    const y = x.add(this.attention.forward(this.norm1.forward(x), mask));
    return y.add(this.run(this.down, this.run(this.up, this.norm2.forward(y))));
  }
}

/** A decoder-only transformer (A. Vaswani et al., 2017, with the norms before each part, as in GPT-2), small and plain. */
export class Transformer extends Module {
  readonly characters: tf.Variable;
  readonly places: tf.Variable;
  readonly blocks: Block[];
  readonly norm: LayerNorm;
  readonly head: tf.layers.Layer;

  constructor(options: TransformerOptions) {
    super();
    const { vocabulary, context, width, blocks } = options;
    this.characters = tf.variable(tf.randomNormal([vocabulary, width], 0, 0.1));
    this.places = tf.variable(tf.randomNormal([context, width], 0, 0.1));
    this.blocks = Array.from({ length: blocks }, () => new Block(options));
    this.norm = new LayerNorm(width);
    this.head = built(tf.layers.dense({ units: vocabulary }), width);
  }

  /** @param ids [batch, time], int32 @returns [batch, time, vocabulary]: logits of the character after each */
  override forward(ids: tf.Tensor): tf.Tensor {
    const time = ids.shape[1]!;
    const mask = tf.linalg.bandPart(tf.ones([time, time]), -1, 0).sub(1).mul(1e9);
    let x = tf.gather(this.characters, ids.toInt()).add(this.places.slice(0, time));
    for (const block of this.blocks) x = block.forward(x, mask);
    return this.run(this.head, this.norm.forward(x));
  }
}
