/** How long a rank or a host may show no sign of life unless told otherwise, in milliseconds. */
export const HEARTBEAT_MS = 10_000;
