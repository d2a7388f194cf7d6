export type { EpochSampler, Sampler, Sized } from "./samplers/sampler.ts";
export { SequentialSampler } from "./samplers/sequential_sampler.ts";
export { RandomSampler, type RandomSamplerOptions } from "./samplers/random_sampler.ts";
export { DistributedSampler, type DistributedSamplerOptions } from "./samplers/distributed_sampler.ts";
export { UnrepeatedDistributedSampler } from "./samplers/unrepeated_distributed_sampler.ts";
export {
  DistributedSamplerWrapper,
  type DistributedSamplerWrapperOptions,
} from "./samplers/distributed_sampler_wrapper.ts";
export { BatchSampler, type BatchSamplerLike, type BatchSamplerOptions } from "./samplers/batch_sampler.ts";
