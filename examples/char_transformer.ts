/**
 * A small character-level transformer, written as a Module of one's own. Its text is made here: sentences of random words whose second
 * half repeats the first in another order, "the old fox sees a hen, so a hen sees the old fox." The first half can be
 * guessed as well as its words are random, which is known; the second half only by looking back.
 *
 *     deno run -A examples/char_transformer.ts [--steps 600] [--epochs 1] [--width 64] [--accelerator auto]
 *
 * 600 steps reach 10.25 nats a sentence, where the entropy of the text is 9.70, and copy 99.9 % of the characters right; 100 s of one
 * core with wasm.
 */
import { parseArgs } from "node:util";
import {
  AdamW,
  crossEntropy,
  DataLoader,
  type Dataset,
  LightningModule,
  MeanMetric,
  noGrad,
  Random,
  seed_everything,
  tf,
  Trainer,
  withScope,
} from "../mod.ts";
import { Transformer } from "./shared/transformer.ts";

const ADJECTIVES = ["old", "red", "small", "happy", "quick", "green", "sleepy", "brave"];
const NOUNS = [
  "fox",
  "hen",
  "robot",
  "girl",
  "king",
  "wolf",
  "baker",
  "horse",
  "snail",
  "queen",
  "cat",
  "dragon",
  "boy",
  "duck",
  "owl",
  "pirate",
];
const VERBS = ["sees", "likes", "hears", "finds", "calls", "paints", "chases", "greets"];
const ALPHABET = " ,.abcdefghijklmnopqrstuvwxyz";
// The longest sentence and the character before it.
const CONTEXT = 76;

/** A sentence, and where its second half begins. */
function sentence(random: Random): { text: string; repeatAt: number } {
  const pick = (words: string[]) => words[random.integer(words.length)];
  const a = `the ${pick(ADJECTIVES)} ${pick(NOUNS)}`, verb = pick(VERBS), b = `a ${pick(NOUNS)}`;
  const first = `${a} ${verb} ${b}, so `;
  return { text: `${first}${b} ${verb} ${a}.`, repeatAt: first.length };
}

/** The entropy of a sentence in nats: all of it lies in the choice of words. */
const ENTROPY = Math.log(ADJECTIVES.length * NOUNS.length * VERBS.length * NOUNS.length);

/** Sentences, each padded with spaces: [characters, the characters after them, which of these count (1) and are repeated (2)]. */
class Sentences implements Dataset<[Int32Array, Int32Array, Int32Array]> {
  constructor(readonly length: number, readonly seed: number) {}

  get(index: number): [Int32Array, Int32Array, Int32Array] {
    const { text, repeatAt } = sentence(new Random(this.seed * 1_000_003 + index));
    const ids = Int32Array.from({ length: CONTEXT + 1 }, (_, i) => ALPHABET.indexOf(text[i - 1] ?? " "));
    const part = Int32Array.from({ length: CONTEXT }, (_, i) => i >= text.length ? 0 : i >= repeatAt ? 2 : 1);
    return [ids.subarray(0, CONTEXT), ids.slice(1), part];
  }
}

type Batch = [tf.Tensor, tf.Tensor, tf.Tensor];

class CharModel extends LightningModule<{ width: number; heads: number; blocks: number; learningRate: number }> {
  readonly net: Transformer;
  readonly nats = new MeanMetric();
  readonly copied = new MeanMetric();

  constructor(hparams: CharModel["hparams"]) {
    super();
    this.saveHyperparameters(hparams);
    this.net = new Transformer({ ...hparams, vocabulary: ALPHABET.length, context: CONTEXT });
  }

  override forward(ids: tf.Tensor): tf.Tensor {
    return this.net.forward(ids);
  }

  /** The loss of each character, [batch · time]. */
  #losses(logits: tf.Tensor, next: tf.Tensor): tf.Tensor {
    return crossEntropy(logits.reshape([-1, ALPHABET.length]), next.flatten().toInt(), { reduction: "none" });
  }

  override trainingStep([ids, next, part]: Batch): tf.Tensor {
    const counts = part.flatten().minimum(1).toFloat();
    const loss = this.#losses(this.forward(ids), next).mul(counts).sum().div(counts.sum());
    this.log("train_loss", loss, { progBar: true });
    return loss;
  }

  override validationStep([ids, next, part]: Batch): void {
    const logits = this.forward(ids);
    const counts = part.minimum(1).toFloat(), repeated = part.equal(2).toFloat();
    this.nats.update(this.#losses(logits, next).reshape(part.shape).mul(counts).sum(1));
    const right = logits.argMax(-1).equal(next.toInt()).toFloat();
    this.copied.update(right.mul(repeated).sum(1).div(repeated.sum(1)));
    this.log("val_nats", this.nats, { progBar: true });
    this.log("copy_acc", this.copied, { progBar: true });
  }

  override configureOptimizers() {
    return new AdamW({ learningRate: this.hparams.learningRate, weightDecay: 0.01 });
  }

  /** Goes on with a text, taking the likeliest character each time, up to the full stop. */
  async complete(text: string): Promise<string> {
    this.eval();
    while (!text.endsWith(".") && text.length < CONTEXT - 1) {
      const ids = [0, ...Array.from(text, (char) => ALPHABET.indexOf(char))];
      const likeliest = await withScope(() =>
        noGrad(async () => {
          const logits = this.forward(tf.tensor2d([ids], undefined, "int32"));
          return (await logits.slice([0, text.length], [1, 1]).argMax(-1).data())[0];
        })
      );
      text += ALPHABET[likeliest];
    }
    return text;
  }
}

const { values: args } = parseArgs({
  options: {
    steps: { type: "string", default: "600" },
    epochs: { type: "string", default: "1" },
    width: { type: "string", default: "64" },
    accelerator: { type: "string", default: "auto" },
  },
});

seed_everything(42);
const steps = Number(args.steps), batchSize = 32;
const train = new DataLoader(new Sentences(steps * batchSize, 1), { batchSize });
const val = new DataLoader(new Sentences(160, 2), { batchSize });
const model = new CharModel({ width: Number(args.width), heads: 4, blocks: 2, learningRate: 3e-3 });
const trainer = new Trainer({
  accelerator: args.accelerator as "auto",
  strategy: "dp",
  maxEpochs: Number(args.epochs),
  gradientClipVal: 1,
  logger: false,
  enableCheckpointing: false,
});
await trainer.fit(model, train, val);
trainer.print(await model.complete("the brave snail paints a queen, so "));
await trainer.close();
const { val_nats, copy_acc } = trainer.callbackMetrics;
trainer.print(`val_nats=${val_nats.toFixed(3)} a sentence (entropy of the text: ${ENTROPY.toFixed(3)})`);
trainer.print(`copy_acc=${copy_acc.toFixed(4)}`);
