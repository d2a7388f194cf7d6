import { bytesField, integerField } from "./protobuf.ts";

/** Options of {@linkcode serverDef}. */
export interface ServerDefOptions {
  rank: number;
  /** `host:port` of every rank's server. */
  addresses: readonly string[];
  /** A `ConfigProto`, for the devices that the server sees. */
  config: Uint8Array;
}

/**
 * The bytes of a `ServerDef` (tensorflow/core/protobuf/tensorflow_server.proto): one job, `worker`, with a task for each rank; rank 0 leads the groups of its
 * collectives.
 */
export function serverDef({ rank, addresses, config }: ServerDefOptions): Uint8Array<ArrayBuffer> {
  const tasks = addresses.flatMap((address, task) =>
    bytesField(2, [...integerField(1, task), ...bytesField(2, address)])
  );
  const cluster = bytesField(1, [...bytesField(1, "worker"), ...tasks]);
  // ConfigProto.experimental.collective_group_leader
  const leader = bytesField(16, bytesField(1, "/job:worker/replica:0/task:0"));
  return new Uint8Array([
    ...bytesField(1, cluster),
    ...bytesField(2, "worker"),
    ...integerField(3, rank),
    ...bytesField(4, [...config, ...leader]),
    ...bytesField(5, "grpc"),
  ]);
}
