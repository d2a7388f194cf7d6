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
  const gpuOptions = gpu === undefined ? [] : [...integer(4, 1), ...bytes(5, new TextEncoder().encode(String(gpu)))];
  // device_count is a map: an entry is a message of key (1) and value (2).
  const noGpu = gpu === undefined ? bytes(1, [...bytes(1, new TextEncoder().encode("GPU")), ...integer(2, 0)]) : [];
  return new Uint8Array([
    ...noGpu,
    ...integer(2, intraOpThreads),
    ...integer(5, interOpThreads),
    ...(gpu === undefined ? [] : bytes(6, gpuOptions)),
    ...integer(7, 1), // allow_soft_placement
  ]);
}

function integer(field: number, value: number): number[] {
  return [field << 3, ...varint(value)];
}

function bytes(field: number, content: Iterable<number>): number[] {
  const array = [...content];
  return [field << 3 | 2, ...varint(array.length), ...array];
}

function varint(value: number): number[] {
  const out: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) out.push(value % 128 | 128);
  return [...out, value];
}
