import { Compose, Flatten, MNIST, Normalize, RandomCrop, Subset, ToTensor } from "../../mod.ts";

/** MNIST's mean and standard deviation. */
export const normalize = new Normalize(0.1307, 0.3081);

/**
 * The first `count` of MNIST's training images, each moved by up to two pixels whenever it is read. A module of its own, so that the
 * worker threads of a loader can import it.
 */
export async function shiftedMnist(count: number) {
  const transform = new Compose([new ToTensor(), new RandomCrop(28, { padding: 2 }), normalize, new Flatten()]);
  return new Subset(await MNIST.load({ train: true, transform }), [...Array(count).keys()]);
}
