/** The most memory that this process had at a time (its resident set), in megabytes. Where the system does not tell: what it has now. */
export function peakMegabytes(): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))![1];
    return Number(kilobytes) / 1024;
  } catch {
    return Deno.memoryUsage().rss / 2 ** 20;
  }
}
