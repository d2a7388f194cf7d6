/** What may reduce arrays between ranks. */
export const PROCESS_GROUP_NAMES = ["zeromq", "tensorflow"] as const;

/** What reduces arrays between ranks: Weft's own algorithms over ZeroMQ, or TensorFlow's distributed runtime. */
export type ProcessGroupName = typeof PROCESS_GROUP_NAMES[number];
