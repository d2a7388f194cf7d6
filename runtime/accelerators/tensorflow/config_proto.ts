import { bytesField, integerField } from "./protobuf.ts";

/** Options of {@linkcode configProto}: what is set of TensorFlow's `ConfigProto` (tensorflow/core/protobuf/config.proto). */
export interface ConfigProtoOptions {
  /** Threads that one op may use. */
  intraOpThreads: number;
  /** Ops that may run side by side. */
  interOpThreads: number;
  /** Index of the GPU among those that the process sees; undefined: no GPU is touched. */
  gpu?: number;
}

/** The bytes of a `ConfigProto`. GPU memory grows on demand, and ops without a GPU kernel run on the processor. */
export function configProto(options: ConfigProtoOptions): Uint8Array<ArrayBuffer> {
  const { intraOpThreads, interOpThreads, gpu } = options;
  const gpuOptions = gpu === undefined ? [] : [...integerField(4, 1), ...bytesField(5, String(gpu))];
  // device_count is a map: an entry is a message of key (1) and value (2).
  const noGpu = gpu === undefined ? bytesField(1, [...bytesField(1, "GPU"), ...integerField(2, 0)]) : [];
  return new Uint8Array([
    ...noGpu,
    ...integerField(2, intraOpThreads),
    ...integerField(5, interOpThreads),
    ...(gpu === undefined ? [] : bytesField(6, gpuOptions)),
    ...integerField(7, 1), // allow_soft_placement
  ]);
}
