/** Milliseconds that processes of this machine agree on. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
