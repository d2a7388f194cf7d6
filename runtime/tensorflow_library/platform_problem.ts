/** What {@linkcode platformProblem} looks at, so that tests can pretend. */
export interface PlatformFacts {
  os: string;
  arch: string;
  /** Deno's build target, e.g. `x86_64-unknown-linux-gnu`. */
  target: string;
  /** What the processor can do, as /proc/cpuinfo lists it; undefined where that cannot be read. */
  cpuFlags: ReadonlySet<string> | undefined;
}

/**
 * Why TensorFlow's library cannot run on this machine at all, as a clause; undefined if nothing speaks against it. TensorFlow is built
 * for Linux with glibc on x64 (with AVX) and arm64, and for macOS on arm64.
 */
export function platformProblem(facts: PlatformFacts = thisPlatform()): string | undefined {
  const { os, arch, target, cpuFlags } = facts;
  const supported = os === "linux" ? ["x86_64", "aarch64"].includes(arch) : os === "darwin" && arch === "aarch64";
  if (!supported) {
    return `there is no TensorFlow library for ${os} on ${arch} (there is for Linux on x64 and arm64, and for macOS on arm64)`;
  }
  if (target.endsWith("musl")) return "TensorFlow is built for glibc, and this system has musl";
  if (arch === "x86_64" && cpuFlags && !cpuFlags.has("avx")) {
    return "TensorFlow needs a processor with AVX, which this one lacks";
  }
  return undefined;
}

function thisPlatform(): PlatformFacts {
  return { os: Deno.build.os, arch: Deno.build.arch, target: Deno.build.target, cpuFlags: readCpuFlags() };
}

function readCpuFlags(): ReadonlySet<string> | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const flags = Deno.readTextFileSync("/proc/cpuinfo").match(/^flags\s*:(.*)$/m)?.[1];
    return flags === undefined ? undefined : new Set(flags.trim().split(/\s+/));
  } catch {
    return undefined;
  }
}
