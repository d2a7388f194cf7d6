/**
 * Sends a signal to all processes of the groups that have these leaders. A group that is gone is no error.
 * @param signal e.g. `SIGTERM`
 */
export function signalGroups(leaders: Iterable<number>, signal: Deno.Signal): void {
  for (const leader of leaders) {
    try {
      Deno.kill(-leader, signal);
    } catch (error) {
      // EPERM: macOS says so of a group of which only zombies are left.
      if (!(error instanceof Deno.errors.NotFound) && !(error instanceof Deno.errors.PermissionDenied)) throw error;
    }
  }
}

/**
 * Which of the groups have a living process. Zombies do not count: where the init process of a container never collects them, their
 * group exists as long as the container, so asking the kernel whether the group exists is not enough.
 */
export async function livingGroups(leaders: readonly number[]): Promise<Set<number>> {
  const wanted = new Set(leaders), living = new Set<number>();
  for (const { group, state } of await processTable()) {
    if (wanted.has(group) && !/^[ZX]/.test(state)) living.add(group);
  }
  return living;
}

/** Which of these processes are kept from running by a signal (STOP): the kernel knows, so that one which is only busy is not taken for one that is frozen. */
export async function stoppedProcesses(pids: readonly number[]): Promise<Set<number>> {
  if (Deno.build.os === "linux") {
    try {
      return new Set(await filterAsync(pids, async (pid) => /^T/.test((await readStat(pid))?.state ?? "")));
    } catch {
      // Without all permissions Deno hides /proc.
    }
  }
  const table = await new Deno.Command("ps", { args: ["-A", "-o", "pid=,stat="], stderr: "null" }).output()
    // Who may not ask knows of nobody.
    .catch(() => ({ stdout: new Uint8Array() }));
  const { stdout } = table;
  const stopped = new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.trim().split(/\s+/))
    .filter(([, state]) => /^T/.test(state)).map(([pid]) => Number(pid));
  return new Set(pids.filter((pid) => stopped.includes(pid)));
}

/**
 * The processes that inherited these variables, whatever group or session they moved to (Linux, with all permissions; elsewhere none are found).
 * @param marks `NAME=value`, all of which a process must have
 */
export async function processesMarked(marks: readonly string[]): Promise<number[]> {
  const found: number[] = [];
  if (Deno.build.os !== "linux") return found;
  // Without all permissions Deno hides /proc.
  for (const pid of await processIds().catch(() => [])) {
    if (pid === Deno.pid) continue;
    try {
      const variables = new TextDecoder().decode(await Deno.readFile(`/proc/${pid}/environ`)).split("\0");
      if (marks.every((mark) => variables.includes(mark))) found.push(pid);
    } catch {
      // Ended since, or another user's.
    }
  }
  return found;
}

async function processTable(): Promise<{ group: number; state: string }[]> {
  if (Deno.build.os === "linux") {
    try {
      return await readProc();
    } catch {
      // Without all permissions Deno hides /proc; ps does not need them.
    }
  }
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "pgid=,stat="], stderr: "null" }).output();
  return new TextDecoder().decode(stdout).trim().split("\n").map((line) => {
    const [group, state] = line.trim().split(/\s+/);
    return { group: Number(group), state };
  });
}

async function readProc(): Promise<{ group: number; state: string }[]> {
  // Asked of this process first, so that a lack of permission is told from a process that has just ended.
  await Deno.readTextFile(`/proc/${Deno.pid}/stat`);
  const table = [];
  for (const pid of await processIds()) {
    const row = await readStat(pid);
    if (row) table.push(row);
  }
  return table;
}

/** Undefined if the process has ended. @throws NotCapable without the permission */
async function readStat(pid: number): Promise<{ group: number; state: string } | undefined> {
  try {
    // `PID (name) STATE PPID PGRP …`, where the name may hold spaces and parentheses.
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { group: Number(group), state };
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}

async function filterAsync<T>(items: readonly T[], keep: (item: T) => Promise<boolean>): Promise<T[]> {
  const kept = await Promise.all(items.map(keep));
  return items.filter((_, index) => kept[index]);
}

async function processIds(): Promise<number[]> {
  const ids = [];
  for await (const entry of Deno.readDir("/proc")) if (/^\d+$/.test(entry.name)) ids.push(Number(entry.name));
  return ids;
}
