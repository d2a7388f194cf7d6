const PR_SET_PDEATHSIG = 1, SIGKILL = 9n;

/**
 * Makes this process end when its launcher does, even if that was killed by KILL. On Linux the kernel sees to it; elsewhere, and without
 * the permission for FFI, the process looks once a second whether its parent is still the launcher.
 */
export function dieWithLauncher(launcherPid: number): void {
  if (!askKernel()) Deno.unrefTimer(setInterval(() => exitIfOrphaned(launcherPid), 1_000));
  // It may have gone before the kernel was asked.
  exitIfOrphaned(launcherPid);
}

function exitIfOrphaned(launcherPid: number): void {
  if (Deno.ppid !== launcherPid) Deno.kill(Deno.pid, "SIGKILL");
}

function askKernel(): boolean {
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return false;
  // glibc and musl: the one that this process has loaded already opens, the other does not exist.
  for (const name of ["libc.so.6", `libc.musl-${Deno.build.arch}.so.1`]) {
    try {
      const libc = Deno.dlopen(name, {
        prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
      });
      const result = libc.symbols.prctl(PR_SET_PDEATHSIG, SIGKILL, 0n, 0n, 0n);
      libc.close();
      return result === 0;
    } catch {
      // The next one.
    }
  }
  return false;
}
