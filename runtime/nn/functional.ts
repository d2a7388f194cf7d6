/** Losses as functions, named and computed as in torch.nn.functional. */
export { crossEntropy, type CrossEntropyOptions } from "./cross_entropy.ts";
export { binaryCrossEntropyWithLogits, l1Loss, type LossOptions, mseLoss, nllLoss } from "./losses.ts";
